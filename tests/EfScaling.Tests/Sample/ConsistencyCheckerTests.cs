using System.Globalization;
using EfScaling.Caching;
using EfScaling.Routing;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Load;
using EfScaling.Topology;

namespace EfScaling.Tests.Sample;

/// <summary>The sample's checks are worth something only if they catch a router that breaks its promises.</summary>
public class ConsistencyCheckerTests
{
    private readonly ConsistencyChecker _checker = new(new ManualClock());

    [Fact]
    public void Reports_a_read_back_that_does_not_show_the_write()
    {
        _checker.ReadBack("post 7", sawOwnWrite: false, OnReplica(100));

        Assert.Equal(1, _checker.ReadYourWritesViolations);
        Assert.Contains("post 7", Assert.Single(_checker.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Accepts_read_backs_that_show_the_write_and_tells_who_answered()
    {
        _checker.ReadBack("post 7", sawOwnWrite: true, OnReplica(100));
        _checker.ReadBack("post 8", sawOwnWrite: true, OnPrimary);
        _checker.ReadBack("post 9", sawOwnWrite: true, decision: null);

        Assert.Equal((0, 1, 2), (_checker.ReadYourWritesViolations, _checker.ReadBacksOnReplicas, _checker.ReadBacksOnPrimary));
    }

    // Heartbeats were written at 1000, 1020 and 1040 and acknowledged 5 later. The age counts from the first one that the read missed.
    [Theory]
    [InlineData(1_040, 2_000, 0, 0, 0)] // Saw the newest: it cannot be old.
    [InlineData(1_000, 1_100, 80, 75, 0)]
    [InlineData(1_000, 1_100, 75, 75, 0)] // Exactly as old as reported.
    [InlineData(1_000, 1_100, 74, 75, 1)] // One millisecond older than reported.
    [InlineData(1_020, 1_100, 74, 55, 0)]
    [InlineData(0, 1_100, 94, 95, 1)] // Saw none at all.
    [InlineData(1_020, 1_045, 0, 0, 0)] // The missed one was acknowledged only when the read had begun.
    public void Holds_a_heartbeat_read_against_the_bound_reported_for_it(long seen, long startedAt, int bound, int age, int violations)
    {
        foreach (var writtenAt in (long[])[1_000, 1_020, 1_040])
        {
            _checker.Heartbeats.Acknowledge(writtenAt, writtenAt + 5);
        }

        var observed = _checker.HeartbeatRead(startedAt, new Pulse(seen, IsStandby: true), OnReplica(bound));

        Assert.Equal(TimeSpan.FromMilliseconds(age), observed);
        Assert.Equal(violations, _checker.StalenessViolations);
    }

    [Fact]
    public void Reports_a_primary_that_misses_an_acknowledged_heartbeat()
    {
        _checker.Heartbeats.Acknowledge(1_000, 1_005);

        _checker.HeartbeatRead(1_010, new Pulse(0, IsStandby: false), OnPrimary);

        Assert.Equal(1, _checker.StalenessViolations);
    }

    [Theory]
    [InlineData(NodeRole.Replica, true, 0)]
    [InlineData(NodeRole.Replica, false, 1)]
    [InlineData(NodeRole.Primary, false, 0)]
    [InlineData(NodeRole.Primary, true, 1)]
    public void Reports_a_server_whose_role_is_not_the_reported_one(NodeRole reported, bool isStandby, int mismatches)
    {
        _checker.HeartbeatRead(0, new Pulse(0, isStandby), reported == NodeRole.Replica ? OnReplica(100) : OnPrimary);

        Assert.Equal(mismatches, _checker.RoleMismatches);
    }

    [Fact]
    public void Reports_a_write_on_a_replica()
    {
        _checker.Wrote(Operation.Like, OnReplica(100));
        _checker.Wrote(Operation.Like, OnPrimary);

        Assert.Equal((2, 1), (_checker.Writes, _checker.MisplacedWrites));
    }

    [Fact]
    public void Tells_the_cache_from_the_servers_that_answer_read_backs()
    {
        _checker.ReadBack("post 7", sawOwnWrite: true, InCache);

        Assert.Equal((1, 0, 0), (_checker.ReadBacksInCache, _checker.ReadBacksOnReplicas, _checker.ReadBacksOnPrimary));
    }

    // The user had 4 posts, and wrote others that were acknowledged at 1000 and 1020.
    [Theory]
    [InlineData(6, 1_030, -1, 0)]
    [InlineData(5, 1_030, -1, 1)] // The cache shows everything that was acknowledged before the read.
    [InlineData(5, 1_030, 0, 1)]
    [InlineData(5, 1_030, 9, 1)] // One millisecond older than a replica may be.
    [InlineData(5, 1_030, 10, 0)]
    [InlineData(5, 1_020, -1, 0)] // Acknowledged only when the read had begun.
    [InlineData(3, 900, -1, 1)]
    public void Reports_a_profile_that_counts_too_few_posts(int posts, long startedAt, int bound, int violations)
    {
        _checker.Posts.Acknowledge(id: 41, author: 1, 1_000);
        _checker.Posts.Acknowledge(id: 42, author: 1, 1_020);
        _checker.Posts.Acknowledge(id: 43, author: 2, 1_000);

        _checker.ProfileRead(startedAt, user: 1, postsAtStart: 4, new Profile("", 0, 0, posts), bound < 0 ? InCache : OnReplica(bound));

        Assert.Equal(violations, _checker.OldProfiles);
    }

    // Followed authors wrote 41 and 42, acknowledged at 1000 and 1020; 43 is by somebody else.
    [Theory]
    [InlineData("42 41", 1_030, 0)]
    [InlineData("41", 1_030, 1)]
    [InlineData("41", 1_020, 0)]
    [InlineData("", 1_030, 1)]
    [InlineData("70 69 68 67 66 65 64 63 62 61 60 59 58 57 56 55 54 53 52 51", 1_030, 0)] // A full page of newer posts.
    [InlineData("70 69 68 67 66 65 64 63 62 61 60 59 58 57 56 55 54 53 52 41", 1_030, 1)]
    [InlineData("70 69 68 67 66 65 64 63 62 61 60 59 58 57 56 55 54 53 52", 1_030, 1)] // There was room for it.
    public void Reports_a_feed_without_a_post_that_it_should_show(string shown, long startedAt, int violations)
    {
        _checker.Posts.Acknowledge(id: 41, author: 1, 1_000);
        _checker.Posts.Acknowledge(id: 42, author: 2, 1_020);
        _checker.Posts.Acknowledge(id: 43, author: 3, 1_000);
        FeedEntry[] entries = [.. shown.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(id => new FeedEntry(int.Parse(id, CultureInfo.InvariantCulture), "", ""))];

        _checker.FeedRead(startedAt, user: 9, author => author < 3, entries, InCache);

        Assert.Equal((violations, 1, 0), (_checker.OldFeeds, _checker.PagesOfCache, _checker.PagesOfServers));
    }

    private static RoutingDecision InCache =>
        new("memory", NodeRole.Cache, RoutingReason.Cached, TimeSpan.Zero, 0) { Cache = new CacheDecision(CacheOutcome.LocalHit) };

    private static RoutingDecision OnPrimary => new("primary:5432", NodeRole.Primary, RoutingReason.ReadYourWrites, TimeSpan.Zero, 1);

    private static RoutingDecision OnReplica(int boundInMilliseconds) =>
        new("replica1:5432", NodeRole.Replica, RoutingReason.FreshReplica, TimeSpan.FromMilliseconds(boundInMilliseconds), 1);
}
