using EfScaling.Caching;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Plays a store that is still connecting when it is first asked, and there soon after.</summary>
internal sealed class ConnectingCacheStore(ICacheStore inner) : ForwardingCacheStore(inner)
{
    private int _asked;

    public override string? Outage => Volatile.Read(ref _asked) < 3 ? "it is not connected yet" : base.Outage;

    public override ValueTask<CacheReading> ReadAsync(string? entry, IReadOnlyList<string> versions, CancellationToken cancellationToken)
    {
        var outage = Outage;
        Interlocked.Increment(ref _asked);
        return outage is null ? base.ReadAsync(entry, versions, cancellationToken) : new(CacheReading.Failed(outage));
    }

    public override CacheAnswer Bump(IReadOnlyList<string> versions, CacheIntent? intent) => Outage is { } outage ? new CacheAnswer(outage) : base.Bump(versions, intent);

    public override ValueTask<CacheAnswer> BumpAsync(IReadOnlyList<string> versions, CacheIntent? intent, CancellationToken cancellationToken) =>
        Outage is { } outage ? new(new CacheAnswer(outage)) : base.BumpAsync(versions, intent, cancellationToken);

    public override ValueTask<CacheAnswer> AnnounceAsync(CacheIntent intent, CancellationToken cancellationToken) =>
        Outage is { } outage ? new(new CacheAnswer(outage)) : base.AnnounceAsync(intent, cancellationToken);
}
