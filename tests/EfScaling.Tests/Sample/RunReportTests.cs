using EfScaling.Caching;
using EfScaling.Routing;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Load;
using EfScaling.Sample.Report;
using EfScaling.Topology;

namespace EfScaling.Tests.Sample;

public class RunReportTests
{
    private static readonly RunSetup Setup = new(true, "primary:1", ["replica:1", "replica:2"], "redis cache:6379", 2, 10, 20, 40, 40, 8, 100);

    private readonly Measurements _load = new();
    private readonly ConsistencyChecker _checker = new(new ManualClock());

    [Fact]
    public void Holds_for_a_run_in_which_everything_went_right()
    {
        RunWell();

        Assert.True(Report().AllChecksHold);
    }

    [Fact]
    public void Fails_every_check_that_had_nothing_to_check()
    {
        Assert.Equal(["no operation failed"], Report().Checks.Where(c => c.Holds).Select(c => c.Name));
    }

    [Theory]
    [InlineData("lost write", "a context reads its own writes")]
    [InlineData("old page in the cache", "no page is older than it may be, from the cache not at all")]
    [InlineData("stale read", "no read is older than its reported bound")]
    [InlineData("read elsewhere", "servers confirm the reported role")]
    [InlineData("write on a replica", "writes ran only on the primary")]
    [InlineData("heartbeat on a replica", "writes ran only on the primary")]
    [InlineData("failure", "no operation failed")]
    public void Names_the_check_that_a_fault_breaks(string fault, string check)
    {
        RunWell();

        Plant(fault);

        Assert.Equal([check], Report().Checks.Where(c => !c.Holds).Select(c => c.Name));
    }

    [Fact]
    public void Tells_hits_from_misses_and_from_what_the_cache_was_not_asked()
    {
        RunWell();
        _load.Add(Operation.Feed, TimeSpan.FromMilliseconds(1), InCache(CacheOutcome.LocalHit));
        _load.Add(Operation.Feed, TimeSpan.FromMilliseconds(1), On("replica:1") with { Cache = new CacheDecision(CacheOutcome.Stale) });
        _load.Add(Operation.Feed, TimeSpan.FromMilliseconds(1), On("replica:1") with { Cache = new CacheDecision(CacheOutcome.StoreUnavailable) });

        var feed = Report().Cache[0];

        Assert.Equal(("Feed", 2, 1, 1, 0.5), (feed.Operation, feed.Hits, feed.Misses, feed.Others, feed.HitRate));
        Assert.Equal([("Hit", 1), ("LocalHit", 1), ("Stale", 1), ("StoreUnavailable", 1)], feed.Outcomes.Select(o => (o.Key, o.Value)).Order());
    }

    [Fact]
    public void Fails_when_the_cache_answers_no_profile()
    {
        RunWell();
        var cached = new Measurements();
        cached.Add(Operation.Feed, TimeSpan.Zero, InCache(CacheOutcome.Hit));
        cached.Add(Operation.Profile, TimeSpan.Zero, On("replica:1") with { Cache = new CacheDecision(CacheOutcome.Absent) });

        Assert.Equal(["the cache answers"], Report(cached).Checks.Where(c => !c.Holds).Select(c => c.Name));
    }

    [Fact]
    public void Fails_when_one_replica_served_nothing()
    {
        RunWell("replica:1");

        Assert.Equal(["reads reached every replica"], Report().Checks.Where(c => !c.Holds).Select(c => c.Name));
    }

    private void Plant(string fault)
    {
        switch (fault)
        {
            case "lost write":
                _checker.ReadBack("post 1", false, On("replica:1"));
                break;
            case "old page in the cache":
                _checker.ProfileRead(1_010, user: 1, postsAtStart: 4, new Profile("", 0, 0, Posts: 4), InCache(CacheOutcome.Hit));
                break;
            case "stale read":
                _checker.HeartbeatRead(5_000, new Pulse(0, true), On("replica:1"));
                break;
            case "read elsewhere":
                _checker.HeartbeatRead(0, new Pulse(0, false), On("replica:1"));
                break;
            case "write on a replica":
                _load.Add(Operation.Like, TimeSpan.Zero, On("replica:2"));
                break;
            case "heartbeat on a replica":
                _checker.Wrote(Operation.Heartbeat, On("replica:2"));
                break;
            case "failure":
                _checker.Failed(Operation.Feed, "out of luck");
                break;
        }
    }

    private RunReport Report() => Report(_load);

    // Whatever reached the replicas counts, with the cache or without.
    private RunReport Report(Measurements cached) =>
        RunReport.Of(Setup, new(cached, _checker), new(cached == _load ? new() : _load, new(new ManualClock())), new(new(), new(new ManualClock())));

    private void RunWell(params string[] replicas)
    {
        foreach (var replica in replicas.Length == 0 ? Setup.Replicas : replicas)
        {
            _load.Add(Operation.Feed, TimeSpan.FromMilliseconds(1), On(replica));
        }

        _load.Add(Operation.NewPost, TimeSpan.FromMilliseconds(1), Primary);
        _checker.Wrote(Operation.NewPost, Primary);
        _checker.ReadBack("post 1", true, Primary);
        _checker.ReadBack("post 1", true, On("replica:1"));
        _load.Add(Operation.Feed, TimeSpan.FromMilliseconds(1), InCache(CacheOutcome.Hit));
        _load.Add(Operation.Profile, TimeSpan.FromMilliseconds(1), InCache(CacheOutcome.Hit));
        _checker.Posts.Acknowledge(id: 41, author: 1, 1_005);
        _checker.ProfileRead(1_010, user: 1, postsAtStart: 4, new Profile("", 0, 0, Posts: 5), InCache(CacheOutcome.Hit));
        _checker.ProfileRead(1_010, user: 1, postsAtStart: 4, new Profile("", 0, 0, Posts: 5), Primary);
        _checker.Heartbeats.Acknowledge(1_000, 1_005);
        _checker.HeartbeatRead(1_010, new Pulse(1_000, true), On("replica:1"));
    }

    private static RoutingDecision Primary => new("primary:1", NodeRole.Primary, RoutingReason.NotAQuery, TimeSpan.Zero, 1);

    private static RoutingDecision InCache(CacheOutcome outcome) =>
        new("memory", NodeRole.Cache, RoutingReason.Cached, TimeSpan.Zero, 0) { Cache = new CacheDecision(outcome) };

    private static RoutingDecision On(string replica) => new(replica, NodeRole.Replica, RoutingReason.FreshReplica, TimeSpan.FromMilliseconds(100), 1);
}
