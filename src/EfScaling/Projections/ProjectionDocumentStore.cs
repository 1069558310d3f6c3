using System.Text.Json;
using Microsoft.Extensions.Caching.Distributed;

namespace EfScaling.Projections;

/// <summary>Keeps views as JSON documents in an <see cref="IDistributedCache"/>, such as that of Redis.</summary>
/// <typeparam name="TView">The type of the views; <see cref="JsonSerializer"/> must be able to write and read it.</typeparam>
/// <param name="cache">Where the documents are kept. It must not evict them: what is lost is missing until it changes or the projection is rebuilt.</param>
/// <param name="prefix">What the keys of the documents begin with.</param>
/// <param name="json">How views are written; <see langword="null"/> for the defaults of <see cref="JsonSerializer"/>.</param>
/// <remarks>
/// <para>
/// An <see cref="IDistributedCache"/> cannot compare and write in one step, so a document is read before it is written. A process that loses its connection to
/// the database between the two can set a document back; it then marks the key as changed again, which mends it unless the process ends first.
/// </para>
/// <para>A removed view leaves a mark for an hour, which keeps such a process from bringing it back. Thread-safe.</para>
/// </remarks>
public sealed class ProjectionDocumentStore<TView>(IDistributedCache cache, string prefix = "efscaling:view:", JsonSerializerOptions? json = null) : IProjectionStore<TView>
    where TView : class
{
    private static readonly DistributedCacheEntryOptions _kept = new();
    private static readonly DistributedCacheEntryOptions _removed = new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1) };

    // Of the type and not of the projection: readers that do not know the projection find the documents, too.
    private readonly string _prefix = $"{prefix}{typeof(TView).Name}:";

    /// <inheritdoc />
    public async Task<TView?> FindAsync(string key, CancellationToken cancellationToken = default) =>
        (await ReadAsync(key, cancellationToken).ConfigureAwait(false))?.View;

    /// <inheritdoc />
    public Task WriteAsync(string key, TView view, long version, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(view);
        return PutAsync(key, new Document(version, view), _kept, cancellationToken);
    }

    /// <inheritdoc />
    public Task RemoveAsync(string key, long version, CancellationToken cancellationToken = default) => PutAsync(key, new Document(version, null), _removed, cancellationToken);

    private async Task PutAsync(string key, Document document, DistributedCacheEntryOptions options, CancellationToken cancellationToken)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(document, json);
        if (await ReadForReplacementAsync(key, cancellationToken).ConfigureAwait(false) is not { } known || known.Version <= document.Version)
        {
            await cache.SetAsync(_prefix + key, bytes, options, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<Document?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        return await cache.GetAsync(_prefix + key, cancellationToken).ConfigureAwait(false) is { } bytes ? JsonSerializer.Deserialize<Document>(bytes, json) : null;
    }

    // What another version of the application wrote and this one cannot read is replaced, not a reason to fail.
    private async Task<Document?> ReadForReplacementAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            return await ReadAsync(key, cancellationToken).ConfigureAwait(false);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private sealed record Document(long Version, TView? View);
}
