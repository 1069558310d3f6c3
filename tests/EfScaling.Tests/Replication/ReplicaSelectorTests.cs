using EfScaling.Consistency;
using EfScaling.Replication;
using EfScaling.Topology;

namespace EfScaling.Tests.Replication;

public sealed class ReplicaSelectorTests
{
    private const int Draws = 10_000;

    private readonly ManualClock _clock = new();
    private ReplicaOptions _options = new();

    [Fact]
    public void Stays_on_the_node_of_the_previous_read()
    {
        var states = Replicas(4);
        var selector = Selector();

        Assert.All(Enumerable.Range(0, 100), _ => Assert.Equal(3, selector.Choose(Snapshot(states), Request(lastNode: 3), _clock.Now).Node!.Ordinal));
    }

    [Fact]
    public void Stays_on_the_node_of_the_previous_read_even_when_another_is_nearer_or_less_loaded()
    {
        _options = _options with { PreferredRegion = "eu" };
        var states = Replicas(2, o => ScriptedCluster.NodeAt(o, o == 1 ? "us" : "eu"));
        states[0] = Loaded(states[0], inFlight: 1, latencyMilliseconds: 1_000);

        Assert.Equal(1, Selector().Choose(Snapshot(states), Request(lastNode: 1), _clock.Now).Node!.Ordinal);
    }

    [Fact]
    public void Leaves_the_node_of_the_previous_read_when_it_is_not_eligible()
    {
        var states = Replicas(2);
        states[0] = states[0] with { ProbeError = "Connection refused" };

        Assert.Equal(2, Selector().Choose(Snapshot(states), Request(lastNode: 1), _clock.Now).Node!.Ordinal);
    }

    [Fact]
    public void Leaves_the_node_of_the_previous_read_when_all_its_connections_are_in_use()
    {
        var states = Replicas(2);
        MakeBusy(states[0].Node);

        Assert.Equal(2, Selector().Choose(Snapshot(states), Request(lastNode: 1), _clock.Now).Node!.Ordinal);
    }

    [Fact]
    public void Going_to_another_node_needs_one_that_shows_all_that_was_there_when_the_previous_read_ended()
    {
        var states = Replicas(3);
        states[0] = states[0] with { ProbeError = "Connection refused" };
        states[1] = states[1] with { VisibleThrough = _clock.Ago(2.Seconds()) };
        states[2] = states[2] with { VisibleThrough = _clock.Ago(1.Seconds()) };
        var selector = Selector();

        var reachable = selector.Choose(Snapshot(states), Request(lastNode: 1, lastRead: _clock.Ago(1.Seconds())), _clock.Now);
        var unreachable = selector.Choose(Snapshot(states), Request(lastNode: 1, lastRead: _clock.Now), _clock.Now);

        Assert.Equal(3, reachable.Node!.Ordinal);
        Assert.Equal(states[2].VisibleThrough, reachable.VisibleThrough);
        Assert.Null(unreachable.Node);
        Assert.Equal(Freshness.BehindCaller, unreachable.Nearest);
    }

    // Each node: region, whether all its connections are in use. Expected: ordinals among which the choice falls.
    [Theory]
    [InlineData("eu", "eu us", "1")]
    [InlineData("eu", "us eu us", "2")]
    [InlineData("eu", "us us", "1 2")]
    [InlineData("eu", "eu! us", "2")] // a free connection elsewhere beats a queue here
    [InlineData("eu", "eu! us!", "1")]
    [InlineData("eu", "us! us!", "1 2")] // and a queue anywhere beats the primary
    [InlineData("eu", "us us! -", "1 3")]
    [InlineData(null, "eu us", "1 2")]
    [InlineData(null, "eu! us -!", "2")]
    [InlineData(null, "eu! us!", "1 2")]
    public void Goes_by_region_and_free_connections(string? preferred, string nodes, string expected)
    {
        _options = _options with { PreferredRegion = preferred };
        var regions = nodes.Split(' ');
        var states = Replicas(regions.Length, o => ScriptedCluster.NodeAt(o, regions[o - 1].TrimEnd('!') is var region && region == "-" ? null : region));
        foreach (var state in states.Where(s => regions[s.Node.Ordinal - 1].EndsWith('!')))
        {
            MakeBusy(state.Node);
        }

        Assert.Equal(expected.Split(' ').Select(int.Parse), Shares(states).Keys.Order());
    }

    [Fact]
    public void Spreads_reads_evenly_over_equal_nodes()
    {
        var shares = Shares(Replicas(4));

        Assert.Equal(4, shares.Count);
        Assert.All(shares.Values, share => Assert.InRange(share, 0.22, 0.28));
    }

    [Theory]
    [InlineData(3, 1, 10, 10)] // in flight
    [InlineData(1, 1, 40, 10)] // milliseconds
    [InlineData(3, 0, 30, 50)]
    public void Of_two_nodes_takes_the_one_with_less_work(int inFlight1, int inFlight2, int latency1, int latency2)
    {
        var states = Replicas(2);
        states = [Loaded(states[0], inFlight1, latency1), Loaded(states[1], inFlight2, latency2)];

        Assert.Equal(2, Assert.Single(Shares(states)).Key);
    }

    [Fact]
    public void The_most_loaded_of_several_nodes_takes_no_read_and_the_least_loaded_most()
    {
        var states = Replicas(3);
        states = [Loaded(states[0], 1), Loaded(states[1], 2), Loaded(states[2], 3)];

        var shares = Shares(states);

        Assert.InRange(shares[1], 0.63, 0.70);
        Assert.InRange(shares[2], 0.30, 0.37);
        Assert.DoesNotContain(3, shares);
    }

    [Theory]
    [InlineData(10, 19)] // noise
    [InlineData(19, 10)]
    [InlineData(0, 10)] // not measured yet
    public void Nodes_of_like_latency_share_the_reads(int latency1, int latency2)
    {
        var states = Replicas(2);
        states = [Loaded(states[0], 0, latency1), Loaded(states[1], 0, latency2)];

        Assert.InRange(Shares(states)[1], 0.47, 0.53);
    }

    [Theory]
    [InlineData(3, 1, 0.75)]
    [InlineData(1, 9, 0.1)]
    public void Nodes_without_work_share_the_reads_by_weight(int weight1, int weight2, double expected) =>
        Assert.Equal(expected, Shares(Replicas(2, o => ScriptedCluster.NodeAt(o, weight: o == 1 ? weight1 : weight2)))[1], 0.02);

    [Fact]
    public void A_node_of_double_weight_carries_double_the_work_in_flight()
    {
        var states = Replicas(2, o => ScriptedCluster.NodeAt(o, weight: o, maxConnections: 10_000));
        var selector = Selector();
        for (var read = 0; read < 3_000; read++)
        {
            selector.Choose(Snapshot(states), Request(), _clock.Now).Node!.Enter();
        }

        Assert.InRange(states[1].Node.InFlight / (double)states[0].Node.InFlight, 1.9, 2.1);
    }

    [Theory]
    [InlineData(0, 0.1)] // a tenth to begin with
    [InlineData(2, 0.2)]
    [InlineData(5, 0.5)]
    [InlineData(10, 1)]
    [InlineData(60, 1)]
    public void A_node_that_has_come_back_grows_to_its_share(int servingSeconds, double expected)
    {
        _options = _options with { RampUp = 10.Seconds() };
        var states = Replicas(2, o => ScriptedCluster.NodeAt(o, maxConnections: 10_000));
        states[1] = states[1] with { ServingSince = _clock.Ago(servingSeconds.Seconds()) };
        var selector = Selector();
        for (var read = 0; read < 3_000; read++)
        {
            selector.Choose(Snapshot(states), Request(), _clock.Now).Node!.Enter();
        }

        Assert.Equal(expected, states[1].Node.InFlight / (double)states[0].Node.InFlight, 0.02);
    }

    [Fact]
    public void Without_a_ramp_up_a_node_takes_its_share_at_once()
    {
        _options = _options with { RampUp = TimeSpan.Zero };
        var states = Replicas(2);
        states[1] = states[1] with { ServingSince = _clock.Now };

        Assert.InRange(Shares(states)[2], 0.47, 0.53);
    }

    [Fact]
    public void Round_robin_takes_one_after_the_other_whatever_their_load()
    {
        _options = _options with { Balancing = LoadBalancing.RoundRobin };
        var states = Replicas(3, o => ScriptedCluster.NodeAt(o, weight: o * 10));
        states[0] = Loaded(states[0], 3, 1_000);
        var selector = Selector();

        var taken = Enumerable.Range(0, 9).Select(_ => selector.Choose(Snapshot(states), Request(), _clock.Now).Node!.Ordinal).ToList();

        Assert.Equal(taken.Take(3).Order(), [1, 2, 3]);
        Assert.Equal(taken.Take(3).Concat(taken.Take(3)).Concat(taken.Take(3)), taken);
    }

    [Fact]
    public void Exactly_one_read_tries_a_node_whose_ban_has_run_out()
    {
        var states = Replicas(1);
        states[0] = AfterBan(states[0]);
        var selector = Selector();

        var first = selector.Choose(Snapshot(states), Request(), _clock.Now);
        var second = selector.Choose(Snapshot(states), Request(), _clock.Now);
        states[0].Node.EndTrial();
        var third = selector.Choose(Snapshot(states), Request(), _clock.Now);

        Assert.True(first is { Node.Ordinal: 1, IsTrial: true });
        Assert.True(second is { Node: null, Nearest: Freshness.Banned });
        Assert.True(third is { Node.Ordinal: 1, IsTrial: true });
    }

    [Fact]
    public void The_other_nodes_serve_while_one_is_tried()
    {
        var states = Replicas(3);
        states[0] = AfterBan(states[0]);
        states[0].Node.TryTakeTrial();

        var shares = Shares(states);

        Assert.Equal([2, 3], shares.Keys.Order());
    }

    [Fact]
    public void The_previous_read_does_not_exempt_a_node_from_its_trial()
    {
        var states = Replicas(1);
        states[0] = AfterBan(states[0]);
        states[0].Node.TryTakeTrial();

        Assert.Null(Selector().Choose(Snapshot(states), Request(lastNode: 1), _clock.Now).Node);
    }

    [Fact]
    public void A_choice_of_a_node_in_good_standing_is_no_trial()
    {
        var choice = Selector().Choose(Snapshot(Replicas(1)), Request(), _clock.Now);

        Assert.True(choice is { IsTrial: false, Nearest: Freshness.Fresh });
        Assert.True(Replicas(1)[0].Node.TryTakeTrial());
    }

    [Theory]
    [InlineData(nameof(Freshness.TooStale), nameof(Freshness.Unreachable), nameof(Freshness.TooStale))]
    [InlineData(nameof(Freshness.Unreachable), nameof(Freshness.TooStale), nameof(Freshness.TooStale))]
    [InlineData(nameof(Freshness.Unreachable), nameof(Freshness.Banned), nameof(Freshness.Banned))]
    [InlineData(nameof(Freshness.NeverMeasured), nameof(Freshness.Unreachable), nameof(Freshness.NeverMeasured))]
    [InlineData(nameof(Freshness.AlreadyTried), nameof(Freshness.Unreachable), nameof(Freshness.Unreachable))]
    [InlineData(nameof(Freshness.AlreadyTried), nameof(Freshness.AlreadyTried), nameof(Freshness.NotAReplica))] // the primary itself is the nearest
    public void Without_an_eligible_node_names_the_reason_of_the_nearest(string first, string second, string expected)
    {
        var states = Replicas(2);
        var request = Request();
        for (var index = 0; index < states.Length; index++)
        {
            switch (index == 0 ? first : second)
            {
                case nameof(Freshness.TooStale):
                    states[index] = states[index] with { VisibleThrough = Moment.Never };
                    break;
                case nameof(Freshness.Unreachable):
                    states[index] = states[index] with { ProbeError = "Connection refused" };
                    break;
                case nameof(Freshness.Banned):
                    states[index] = states[index] with { Ban = new NodeBan(1, _clock.Now.Plus(1.Seconds(), _clock)) };
                    break;
                case nameof(Freshness.NeverMeasured):
                    states[index] = states[index] with { Sample = null };
                    break;
                case nameof(Freshness.AlreadyTried):
                    request = request.AfterTrying(index + 1);
                    break;
            }
        }

        var choice = Selector().Choose(Snapshot(states), request, _clock.Now);

        Assert.Null(choice.Node);
        Assert.Equal(Moment.Never, choice.VisibleThrough);
        Assert.Equal(expected, choice.Nearest.ToString());
    }

    [Fact]
    public void Never_picks_the_primary()
    {
        var choice = Selector().Choose(Snapshot([]), Request(), _clock.Now);

        Assert.True(choice is { Node: null, Nearest: Freshness.NotAReplica });
    }

    [Fact]
    public void Skips_nodes_that_have_failed_the_read()
    {
        var states = Replicas(3);

        Assert.Equal(2, Assert.Single(Shares(states, Request().AfterTrying(1).AfterTrying(3))).Key);
    }

    // For each replica: how many milliseconds its data was old when it was measured just now, '!' if it is not fit to serve. Then what the read must show:
    // a position, a moment in milliseconds ago, and how old it may be. Expected: the node and its guard, "?" if the primary must be asked first, "-" for none.
    [Theory]
    [InlineData("0", 0, null, 5_000, "1 0")]
    [InlineData("0", 150, null, 5_000, "1 150")] // its sample shows position 100
    [InlineData("0", 0, 50, 5_000, "1 0")] // seen by the measurement already
    [InlineData("200", 0, 150, 5_000, "1 300")] // the sample of 100 ms ago is the first one above the moment
    [InlineData("200", 350, 150, 5_000, "1 350")]
    [InlineData("200", 0, 350, 5_000, "1 0")]
    [InlineData("200", 0, -50, 5_000, "?")] // nothing is known since
    [InlineData("200", 0, null, 150, "1 300")] // too old by measurement
    [InlineData("200!", 0, 150, 5_000, "-")]
    [InlineData("200! 200", 0, 150, 5_000, "2 300")]
    [InlineData("900 200", 0, 150, 5_000, "2 300")] // too far behind to have caught up
    [InlineData("900", 0, 150, 5_000, "-")]
    public void A_node_that_is_likely_fresh_proves_it_itself(string nodes, ulong position, int? floor, int maxStaleness, string expected)
    {
        var ages = nodes.Split(' ');
        var states = Replicas(ages.Length);
        for (var index = 0; index < ages.Length; index++)
        {
            states[index] = states[index] with
            {
                VisibleThrough = _clock.Ago(int.Parse(ages[index].TrimEnd('!'), null).Milliseconds()),
                ProbeError = ages[index].EndsWith('!') ? "Connection refused" : null,
            };
        }

        var request = new ReadRequest(
            maxStaleness.Milliseconds(), floor is { } ago ? _clock.Ago(ago.Milliseconds()) : Moment.Never, LastNode: -1, Moment.Never, Tried: 0, new WalPosition(position));

        // With nothing to prove the read would have found its node without a guard; here it must be asked for one.
        var choice = position == 0 && floor is null or 50 or 350 && maxStaleness == 5_000
            ? Selector().Choose(Snapshot(states), request, _clock.Now)
            : Selector().ChooseGuarded(Snapshot(states), request, _clock.Now, PositionSince);

        var actual = choice.Node is { } node ? $"{node.Ordinal} {choice.Guard.Value}" : (choice.UnknownSince ?? Moment.Never) != Moment.Never ? "?" : "-";
        Assert.Equal(expected, actual);
    }

    [Fact]
    public void A_guarded_read_stays_on_the_node_of_the_previous_one()
    {
        var states = Replicas(4);

        Assert.All(
            Enumerable.Range(0, 100),
            _ => Assert.Equal(3, Selector().ChooseGuarded(Snapshot(states), Request(lastNode: 3) with { Position = new WalPosition(200) }, _clock.Now, PositionSince).Node!.Ordinal));
    }

    // The primary has written a byte each millisecond and was asked every 100 ms, at last just now, when it was at 400.
    private ServerPosition? PositionSince(Moment moment)
    {
        for (var ago = 300; ago >= 0; ago -= 100)
        {
            if (_clock.Ago(ago.Milliseconds()) >= moment)
            {
                return new ServerPosition(new ServerIdentity(ScriptedCluster.SystemId, 1), new WalPosition(400 - (ulong)ago), _clock.Ago(ago.Milliseconds()));
            }
        }

        return null;
    }

    private ReplicaSelector Selector() => new(_options, new FreshnessGate(_options, _clock), _clock, new Random(20_240_611));

    private NodeState[] Replicas(int count, Func<int, Node>? node = null) =>
        [.. Enumerable.Range(1, count).Select(o => new NodeState(node?.Invoke(o) ?? ScriptedCluster.NodeAt(o))
        {
            Sample = Sample(NodeRole.Replica),
            VisibleThrough = _clock.Now,
            ServingSince = _clock.Ago(3_600.Seconds()),
        })];

    private ClusterSnapshot Snapshot(NodeState[] replicas)
    {
        var primary = new NodeState(ScriptedCluster.NodeAt(0)) { Sample = Sample(NodeRole.Primary) };
        return new ClusterSnapshot([primary, .. replicas], primary);
    }

    private NodeSample Sample(NodeRole role) => new(role, new ServerIdentity(ScriptedCluster.SystemId, 1), new WalPosition(100), _clock.Now, _clock.Now);

    private static ReadRequest Request(int lastNode = -1, Moment? lastRead = null) => new(5.Seconds(), Moment.Never, lastNode, lastRead ?? Moment.Never, Tried: 0);

    private NodeState AfterBan(NodeState state) => state with { Ban = new NodeBan(1, _clock.Now), ServingSince = Moment.Never };

    private Dictionary<int, double> Shares(NodeState[] states, ReadRequest? request = null)
    {
        var selector = Selector();
        return Enumerable.Range(0, Draws)
            .Select(_ => selector.Choose(Snapshot(states), request ?? Request(), _clock.Now))
            .Where(c => !c.IsTrial)
            .CountBy(c => c.Node!.Ordinal)
            .ToDictionary(c => c.Key, c => c.Value / (double)Draws);
    }

    private static void MakeBusy(Node node) => Work(node, node.Traits.MaxConnections);

    private static NodeState Loaded(NodeState state, int inFlight, int latencyMilliseconds = 10)
    {
        Work(state.Node, inFlight);
        return state with { Latency = latencyMilliseconds.Milliseconds() };
    }

    private static void Work(Node node, int inFlight)
    {
        for (var read = 0; read < inFlight; read++)
        {
            node.Enter();
        }
    }
}
