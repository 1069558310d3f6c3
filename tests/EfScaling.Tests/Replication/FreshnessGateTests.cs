using EfScaling.Consistency;
using EfScaling.Replication;
using EfScaling.Topology;

namespace EfScaling.Tests.Replication;

public sealed class FreshnessGateTests
{
    private const ulong SystemId = ScriptedCluster.SystemId;

    private static readonly TimeSpan _maxStaleness = 5.Seconds();
    private readonly ManualClock _clock = new();
    private readonly ReplicaOptions _options = new();

    public static TheoryData<string> Answers => [.. Enum.GetNames<Freshness>().Except([nameof(Freshness.AnotherServer)])]; // found only when a connection opens

    [Theory]
    [MemberData(nameof(Answers))]
    public void Gives_each_answer_to_the_node_that_earns_it(string answer)
    {
        var (state, primary, request) = Spoil(Healthy(), Enum.Parse<Freshness>(answer));

        Assert.Equal(answer, Judge(state, primary, request).ToString());
    }

    [Theory]
    [InlineData(nameof(Freshness.AlreadyTried), nameof(Freshness.Unreachable))]
    [InlineData(nameof(Freshness.Unreachable), nameof(Freshness.NeverMeasured))]
    [InlineData(nameof(Freshness.Unreachable), nameof(Freshness.MeasurementTooOld))]
    [InlineData(nameof(Freshness.MeasurementTooOld), nameof(Freshness.NotAReplica))]
    [InlineData(nameof(Freshness.MeasurementTooOld), nameof(Freshness.WrongCluster))]
    [InlineData(nameof(Freshness.NotAReplica), nameof(Freshness.PrimaryUnknown))]
    [InlineData(nameof(Freshness.NotAReplica), nameof(Freshness.WrongCluster))]
    [InlineData(nameof(Freshness.WrongCluster), nameof(Freshness.WrongTimeline))]
    [InlineData(nameof(Freshness.WrongTimeline), nameof(Freshness.Banned))]
    [InlineData(nameof(Freshness.Banned), nameof(Freshness.TooStale))]
    [InlineData(nameof(Freshness.TooStale), nameof(Freshness.Recovering))]
    [InlineData(nameof(Freshness.Recovering), nameof(Freshness.BehindCaller))]
    public void Gives_the_first_of_two_reasons(string first, string second)
    {
        var healthy = Healthy();
        var oneWay = Spoil(Spoil(healthy, Enum.Parse<Freshness>(first)), Enum.Parse<Freshness>(second));
        var otherWay = Spoil(Spoil(healthy, Enum.Parse<Freshness>(second)), Enum.Parse<Freshness>(first));

        // A sample that is missing cannot be spoiled as well, so one of the two orders may lose a reason.
        Assert.Contains(first, new[] { Judge(oneWay), Judge(otherWay) }.Select(f => f.ToString()));
    }

    [Theory]
    [InlineData(1_500, nameof(Freshness.Fresh))] // the probe's time-out and two intervals
    [InlineData(1_501, nameof(Freshness.MeasurementTooOld))]
    public void A_measurement_holds_until_the_probe_after_a_late_one(int milliseconds, string expected)
    {
        var (state, primary, request) = Healthy();
        _clock.Advance(milliseconds.Milliseconds());

        Assert.Equal(expected, Judge(state, primary, request).ToString());
    }

    [Theory]
    [InlineData(5_000, nameof(Freshness.Fresh))]
    [InlineData(5_001, nameof(Freshness.TooStale))]
    public void Staleness_counts_from_what_is_visible_to_the_present_moment(int milliseconds, string expected)
    {
        var (state, primary, request) = Healthy();

        Assert.Equal(expected, Judge(state with { VisibleThrough = _clock.Ago(milliseconds.Milliseconds()) }, primary, request).ToString());
    }

    [Fact]
    public void A_read_that_takes_any_age_is_served_by_a_node_of_which_nothing_is_proven()
    {
        var (state, primary, request) = Healthy();

        Assert.Equal(Freshness.Fresh, Judge(state with { VisibleThrough = Moment.Never }, primary, request with { MaxStaleness = TimeSpan.MaxValue }));
    }

    [Fact]
    public void The_end_of_a_ban_lets_the_node_be_tried()
    {
        var (state, primary, request) = Healthy();
        state = state with { Ban = NodeBan.None.After(_clock.Now, _clock) };
        state = state with { Sample = state.Sample! with { SentAt = _clock.Now.Plus(500.Milliseconds(), _clock) } };

        _clock.Advance(499.Milliseconds());
        Assert.Equal(Freshness.Banned, Judge(state, primary, request));

        _clock.Advance(1.Milliseconds());
        Assert.Equal(Freshness.Fresh, Judge(state, primary, request));
    }

    [Theory]
    [InlineData(1, 0, nameof(Freshness.Fresh))] // the node of the previous read shows what that read saw
    [InlineData(2, 0, nameof(Freshness.BehindCaller))] // another node must show all that was there when it ended
    [InlineData(-1, 0, nameof(Freshness.BehindCaller))]
    [InlineData(2, -2, nameof(Freshness.Fresh))]
    public void Going_to_another_node_raises_the_floor_to_the_end_of_the_previous_read(int lastNode, int lastReadSeconds, string expected)
    {
        var (state, primary, request) = Healthy();
        request = request with { LastNode = lastNode, LastRead = _clock.Now.Plus(lastReadSeconds.Seconds(), _clock) };

        Assert.Equal(expected, Judge(state with { VisibleThrough = _clock.Ago(1.Seconds()) }, primary, request).ToString());
    }

    [Fact]
    public void A_write_of_the_caller_rules_out_even_the_node_of_the_previous_read()
    {
        var (state, primary, request) = Healthy();
        request = request with { LastNode = 1, LastRead = _clock.Ago(2.Seconds()), Floor = _clock.Now };

        Assert.Equal(Freshness.BehindCaller, Judge(state with { VisibleThrough = _clock.Ago(1.Milliseconds()) }, primary, request));
        Assert.Equal(Freshness.Fresh, Judge(state with { VisibleThrough = _clock.Now }, primary, request));
    }

    [Fact]
    public void Standing_asks_for_neither_staleness_nor_what_the_caller_has_seen()
    {
        var (state, primary, _) = Healthy();

        Assert.Equal(Freshness.Fresh, Gate.JudgeNode(state with { VisibleThrough = Moment.Never }, primary, _clock.Now));
    }

    [Fact]
    public void Marks_each_tried_node_and_no_other()
    {
        var request = new ReadRequest(_maxStaleness, Moment.Never, -1, Moment.Never, Tried: 0).AfterTrying(0).AfterTrying(63);

        Assert.Equal([0, 63], Enumerable.Range(0, ReadRequest.MaxNodes).Where(o => request.HasTried(o)));
    }

    private FreshnessGate Gate => new(_options, _clock);

    private (NodeState State, NodeState? Primary, ReadRequest Request) Healthy()
    {
        var primary = new NodeState(ScriptedCluster.NodeAt(0)) { Sample = Sample(NodeRole.Primary) };
        var replica = new NodeState(ScriptedCluster.NodeAt(1)) { Sample = Sample(NodeRole.Replica), VisibleThrough = _clock.Now };
        return (replica, primary, new ReadRequest(_maxStaleness, Moment.Never, LastNode: -1, Moment.Never, Tried: 0));
    }

    private NodeSample Sample(NodeRole role) => new(role, new ServerIdentity(SystemId, 1), new WalPosition(100), _clock.Now, _clock.Now);

    // Gives a node the fault that the answer names, beside those it has.
    private (NodeState State, NodeState? Primary, ReadRequest Request) Spoil((NodeState State, NodeState? Primary, ReadRequest Request) healthy, Freshness fault)
    {
        var (state, primary, request) = healthy;
        return fault switch
        {
            Freshness.AlreadyTried => (state, primary, request.AfterTrying(1)),
            Freshness.WrongCluster => (WithSample(state, s => s with { Identity = s.Identity with { SystemId = SystemId + 1 } }), primary, request),
            Freshness.WrongTimeline => (WithSample(state, s => s with { Identity = s.Identity with { Timeline = s.Identity.Timeline + 1 } }), primary, request),
            Freshness.NotAReplica => (WithSample(state, s => s with { Role = NodeRole.Primary }), primary, request),
            Freshness.Unreachable => (state with { ProbeError = "Connection refused" }, primary, request),
            Freshness.Banned => (state with { Ban = new NodeBan(1, _clock.Now.Plus(1.Seconds(), _clock)) }, primary, request),
            Freshness.NeverMeasured => (state with { Sample = null }, primary, request),
            Freshness.MeasurementTooOld => (WithSample(state, s => s with { SentAt = _clock.Ago(2.Seconds()) }), primary, request),
            Freshness.PrimaryUnknown => (state, null, request),
            Freshness.Recovering => (state with { IsRecovering = true }, primary, request),
            Freshness.TooStale => (state with { VisibleThrough = _clock.Ago(6.Seconds()) }, primary, request),
            Freshness.BehindCaller => (state, primary, request with { Floor = _clock.Now.Plus(1.Milliseconds(), _clock) }),
            Freshness.Fresh => healthy,
            _ => throw new ArgumentOutOfRangeException(nameof(fault)),
        };
    }

    private static NodeState WithSample(NodeState state, Func<NodeSample, NodeSample> change) =>
        state.Sample is { } sample ? state with { Sample = change(sample) } : state;

    private Freshness Judge((NodeState State, NodeState? Primary, ReadRequest Request) read) => Judge(read.State, read.Primary, read.Request);

    private Freshness Judge(NodeState state, NodeState? primary, ReadRequest request) => Gate.Judge(state, primary, request, _clock.Now);
}
