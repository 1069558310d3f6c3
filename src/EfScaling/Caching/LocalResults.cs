using EfScaling.Caching.Rows;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using Microsoft.Extensions.Caching.Memory;

namespace EfScaling.Caching;

/// <summary>The results that the process keeps, up to a number of bytes.</summary>
/// <remarks>Thread-safe. Whether a result is still valid is not judged here.</remarks>
internal sealed class LocalResults : IDisposable
{
    private readonly MemoryCache? _results;
    private readonly TimeProvider _clock;
    private long _bytes;

    /// <param name="maxBytes">How many bytes are kept; 0 for none.</param>
    /// <param name="clock">Ends the time of results.</param>
    public LocalResults(long maxBytes, TimeProvider clock)
    {
        _clock = clock;
        _results = maxBytes > 0 ? new MemoryCache(new MemoryCacheOptions { SizeLimit = maxBytes }) : null;
        QueryCacheMeter.ObserveLocalSize(CountBytes);
    }

    /// <summary>Gets the bytes that the results take, about.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

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

        var expiresAt = Moment.Now(_clock).Plus(timeToLive, _clock);
        using var entry = _results.CreateEntry(query);
        entry.Value = new LocalResult(rows, stamp, shownBy, expiresAt, proof);
        entry.Size = rows.Size;

        // The statistics of the memory cache know the bytes too, but count every hit for it.
        Interlocked.Add(ref _bytes, rows.Size);
        entry.RegisterPostEvictionCallback(static (_, left, _, results) => Interlocked.Add(ref ((LocalResults)results!)._bytes, -((LocalResult)left!).Rows.Size), this);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        QueryCacheMeter.ForgetLocalSize(CountBytes);
        _results?.Dispose();
    }

    private long CountBytes() => Bytes;
}
