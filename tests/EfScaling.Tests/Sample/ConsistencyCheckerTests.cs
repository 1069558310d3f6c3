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

    private static RoutingDecision OnPrimary => new("primary:5432", NodeRole.Primary, RoutingReason.ReadYourWrites, TimeSpan.Zero, 1);

    private static RoutingDecision OnReplica(int boundInMilliseconds) =>
        new("replica1:5432", NodeRole.Replica, RoutingReason.FreshReplica, TimeSpan.FromMilliseconds(boundInMilliseconds), 1);
}
