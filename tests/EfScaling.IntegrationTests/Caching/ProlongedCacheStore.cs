using EfScaling.Caching;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A store that counts how often the time of a result was started anew.</summary>
internal sealed class ProlongedCacheStore(ICacheStore inner) : ForwardingCacheStore(inner)
{
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public override ValueTask<CacheAnswer> ProlongAsync(string entry, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _count);
        return base.ProlongAsync(entry, timeToLive, cancellationToken);
    }
}
