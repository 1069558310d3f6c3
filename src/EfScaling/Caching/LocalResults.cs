using EfScaling.Caching.Rows;
using EfScaling.Consistency;
using Microsoft.Extensions.Caching.Memory;

namespace EfScaling.Caching;

/// <summary>The results that the process keeps, up to a number of bytes.</summary>
/// <remarks>Thread-safe. Whether a result is still valid is not judged here.</remarks>
internal sealed class LocalResults(long maxBytes, TimeProvider clock) : IDisposable
{
    private readonly MemoryCache? _results = maxBytes > 0 ? new MemoryCache(new MemoryCacheOptions { SizeLimit = maxBytes }) : null;

    /// <summary>Gets the bytes that the results take, about.</summary>
    public long Bytes => _results?.GetCurrentStatistics()?.CurrentEstimatedSize ?? 0;

    /// <summary>Returns the result of a query, unless there is none or it is too old.</summary>
    public LocalResult? Find(UInt128 query, Moment now) =>
        _results?.TryGetValue(query, out var found) == true && found is LocalResult result && result.ExpiresAt > now ? result : null;

    /// <summary>Keeps a result; the oldest make room.</summary>
    /// <param name="query">Key of the query.</param>
    /// <param name="rows">The result.</param>
    /// <param name="stamp">The versions it was read under.</param>
    /// <param name="shownBy">A moment by which everything that it shows was committed.</param>
    /// <param name="timeToLive">How long it may be used.</param>
    /// <param name="proof">When it was known to be right.</param>
    public void Keep(UInt128 query, RowSet rows, UInt128 stamp, Moment shownBy, TimeSpan timeToLive, in ResultProof proof)
    {
        if (_results is null || timeToLive <= TimeSpan.Zero)
        {
            return;
        }

        var expiresAt = Moment.Now(clock).Plus(timeToLive, clock);
        using var entry = _results.CreateEntry(query);
        entry.Value = new LocalResult(rows, stamp, shownBy, expiresAt, proof);
        entry.Size = rows.Size;
    }

    /// <inheritdoc />
    public void Dispose() => _results?.Dispose();
}
