using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Routing;
using EfScaling.Testing.History;
using EfScaling.Topology;

namespace EfScaling.Tests.Testing;

/// <summary>Hand-written histories with results from caches; reports take up to a second, publications five. Times are in seconds.</summary>
public sealed class CachedHistoryTests
{
    private static readonly CacheLimits _limits = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5));

    public static TheoryData<string, HistoryRule?, HistoryEvent[]> Histories => new()
    {
        { "a hit shows what its process wrote", null, [Write(1, 1, cache: 1), Hit(1, 2, cache: 1)] },
        { "a hit lacks what its process wrote", HistoryRule.CachedResult, [Write(1, 1, cache: 1), Hit(0, 2, cache: 1)] },
        { "a hit in memory lacks what its process just wrote", HistoryRule.CachedResult, [Write(1, 1, cache: 1), Hit(0, 1.1, cache: 1, CacheOutcome.LocalHit)] },
        { "a hit lacks what its process wrote and could not publish", HistoryRule.CachedResult, [Write(1, 1, cache: 1, isUnpublished: true), Hit(0, 2, cache: 1)] },
        { "a hit lacks what another process wrote", HistoryRule.CachedResult, [Write(1, 1, cache: 2), Hit(0, 1.1, cache: 1)] },
        { "a result that was joined lacks what another process wrote", HistoryRule.CachedResult, [Write(1, 1, cache: 2), Hit(0, 1.1, cache: 1, CacheOutcome.Joined)] },
        { "a hit began before the write had ended", null, [Write(1, 1, cache: 2), Hit(0, 0.9, cache: 1)] },
        { "a hit in memory lacks what another process just wrote", null, [Write(1, 1, cache: 2), Hit(0, 1.9, cache: 1, CacheOutcome.LocalHit)] },
        { "a hit in memory lacks what another process wrote long ago", HistoryRule.CachedResult, [Write(1, 1, cache: 2), Hit(0, 2.1, cache: 1, CacheOutcome.LocalHit)] },
        { "a hit lacks what another process could not publish yet", null, [Write(1, 1, cache: 2, isUnpublished: true), Hit(0, 5.9, cache: 1)] },
        { "a hit lacks what another process should have published", HistoryRule.CachedResult, [Write(1, 1, cache: 2, isUnpublished: true), Hit(0, 6.1, cache: 1)] },
        { "an outage keeps it from being published", null, [Outage(0, 4), Write(1, 1, cache: 2, isUnpublished: true), Hit(0, 8.9, cache: 1)] },
        { "an outage is over for long", HistoryRule.CachedResult, [Outage(0, 4), Write(1, 1, cache: 2, isUnpublished: true), Hit(0, 9.1, cache: 1)] },
        { "a second outage follows", null, [Outage(0, 4), Outage(8, 9), Write(1, 1, cache: 2, isUnpublished: true), Hit(0, 13.9, cache: 1)] },
        { "a second outage comes too late", HistoryRule.CachedResult, [Outage(0, 4), Outage(9.5, 10), Write(1, 1, cache: 2, isUnpublished: true), Hit(0, 9.2, cache: 1)] },
        { "a hit lacks what its session has seen before it was acknowledged", HistoryRule.MonotonicInCache, [Write(1, 9, cache: 2), OnPrimary(1, 2), Hit(0, 4, cache: 1)] },
        { "a read on the primary lacks what a hit has shown", HistoryRule.MonotonicOnPrimary, [Write(1, 9, cache: 2), Hit(1, 2, cache: 1), OnPrimary(0, 4)] },
        { "a hit that nobody wrote", HistoryRule.NothingInvented, [Hit(1, 2, cache: 1)] },
    };

    [Theory]
    [MemberData(nameof(Histories), DisableDiscoveryEnumeration = true)]
    public void History_is_judged(string what, HistoryRule? broken, HistoryEvent[] history)
    {
        var violations = HistoryChecker.Check(history, _limits);

        Assert.True(violations.Select(v => (HistoryRule?)v.Rule).SequenceEqual(broken is null ? [] : [broken]), $"{what}: {string.Join(", ", violations)}");
    }

    private static HistoryEvent Write(long value, double ended, int cache, bool isUnpublished = false) => new()
    {
        Operation = HistoryOperation.Write,
        Session = 1,
        Register = 7,
        Value = value,
        Cache = cache,
        IsUnpublished = isUnpublished,
        Started = TimeSpan.Zero,
        Ended = TimeSpan.FromSeconds(ended),
    };

    private static HistoryEvent Hit(long value, double started, int cache, CacheOutcome outcome = CacheOutcome.Hit) => Read(value, started) with
    {
        Cache = cache,
        Routing = new RoutingDecision("c", NodeRole.Cache, RoutingReason.Cached, TimeSpan.Zero, 0) { Cache = new CacheDecision(outcome) },
    };

    private static HistoryEvent OnPrimary(long value, double started) => Read(value, started) with
    {
        Routing = new RoutingDecision("p", NodeRole.Primary, RoutingReason.ReplicasTooStale, TimeSpan.Zero, 1),
    };

    private static HistoryEvent Read(long value, double started) => new()
    {
        Operation = HistoryOperation.Read,
        Session = 2,
        Register = 7,
        Value = value,
        Contract = ReadContract.Session,
        Started = TimeSpan.FromSeconds(started),
        Ended = TimeSpan.FromSeconds(started + 0.05),
    };

    private static HistoryEvent Outage(double started, double ended) =>
        new() { Operation = HistoryOperation.Fault, IsUnpublished = true, Started = TimeSpan.FromSeconds(started), Ended = TimeSpan.FromSeconds(ended) };
}
