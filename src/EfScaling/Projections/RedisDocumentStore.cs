using System.Text.Json;
using EfScaling.Caching.Redis;

namespace EfScaling.Projections;

/// <summary>Keeps views as JSON documents in Redis, each written only in the place of an older one.</summary>
/// <remarks>Compares and writes in one step, so that no process, however late, sets a document back. Thread-safe.</remarks>
internal sealed class RedisDocumentStore<TView>(RedisDocuments documents, string projection, JsonSerializerOptions? json) : IProjectionStore<TView>
    where TView : class
{
    // Far longer than a process that lost its connection to the database can go on writing.
    private static readonly TimeSpan _markFor = TimeSpan.FromHours(1);

    private readonly string _prefix = $"efs:doc:{projection}:";

    /// <inheritdoc />
    public async Task<TView?> FindAsync(string key, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        return await documents.GetAsync(_prefix + key, cancellationToken).ConfigureAwait(false) is { } bytes ? JsonSerializer.Deserialize<TView>(bytes, json) : null;
    }

    /// <inheritdoc />
    public Task WriteAsync(string key, TView view, long version, CancellationToken cancellationToken = default)
    {
        Check(key, version);
        ArgumentNullException.ThrowIfNull(view);
        return documents.SetIfNewerAsync(_prefix + key, JsonSerializer.SerializeToUtf8Bytes(view, json), version, cancellationToken);
    }

    /// <inheritdoc />
    public Task RemoveAsync(string key, long version, CancellationToken cancellationToken = default)
    {
        Check(key, version);
        return documents.RemoveIfNewerAsync(_prefix + key, version, _markFor, cancellationToken);
    }

    private static void Check(string key, long version)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentOutOfRangeException.ThrowIfNegative(version);
    }
}
