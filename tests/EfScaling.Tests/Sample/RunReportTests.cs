using EfScaling.Routing;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Load;
using EfScaling.Sample.Report;
using EfScaling.Topology;

namespace EfScaling.Tests.Sample;

public class RunReportTests
{
    private static readonly RunSetup Setup = new(true, "primary:1", ["replica:1", "replica:2"], 2, 10, 20, 40, 40, 8, 100);

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

    private RunReport Report() => RunReport.Of(Setup, _load, _checker, new Measurements(), new ConsistencyChecker(new ManualClock()));

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
        _checker.Heartbeats.Acknowledge(1_000, 1_005);
        _checker.HeartbeatRead(1_010, new Pulse(1_000, true), On("replica:1"));
    }

    private static RoutingDecision Primary => new("primary:1", NodeRole.Primary, RoutingReason.NotAQuery, TimeSpan.Zero, 1);

    private static RoutingDecision On(string replica) => new(replica, NodeRole.Replica, RoutingReason.FreshReplica, TimeSpan.FromMilliseconds(100), 1);
}
