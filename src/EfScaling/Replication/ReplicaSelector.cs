using EfScaling.Consistency;
using EfScaling.Topology;

namespace EfScaling.Replication;

/// <summary>Picks the replica that serves a read: the one of the previous read, else by region, free connections and load.</summary>
/// <remarks>Decides from the snapshot and the counts of reads in flight alone. Thread-safe; allocates nothing.</remarks>
internal sealed class ReplicaSelector(ReplicaOptions options, FreshnessGate gate, TimeProvider clock, Random random)
{
    // Share of its weight that a node starts with when it (re)joins.
    private const double RampStart = 0.1;

    // Nodes whose answers take less than this, or differ by less than the factor, are taken for equally fast: the rest is mostly noise.
    private const double LikeFactor = 2;
    private static readonly TimeSpan _likeLatency = TimeSpan.FromMilliseconds(1);

    private int _turn;

    /// <summary>Searches the snapshot for a replica that may serve the read.</summary>
    public ReplicaChoice Choose(ClusterSnapshot snapshot, in ReadRequest request, Moment now)
    {
        Span<int> candidates = stackalloc int[snapshot.Nodes.Length];
        var count = 0;
        var tier = Tier.None;
        var nearest = Freshness.AlreadyTried;

        foreach (var state in snapshot.Nodes)
        {
            var freshness = gate.Judge(state, snapshot.Primary, request, now);
            if (freshness != Freshness.Fresh)
            {
                nearest = freshness > nearest ? freshness : nearest;
                continue;
            }

            var node = state.Node;
            if (node.Ordinal == request.LastNode && !node.IsBusy && !state.Ban.IsActive)
            {
                return new ReplicaChoice(node, state.VisibleThrough, Freshness.Fresh, IsTrial: false);
            }

            var rank = TierOf(node);
            if (rank > tier)
            {
                tier = rank;
                count = 0;
            }

            if (rank == tier)
            {
                candidates[count++] = node.Ordinal;
            }
        }

        return Pick(snapshot, candidates[..count], nearest, now);
    }

    /// <summary>Searches the snapshot for a replica that no measurement proves to be fresh enough, but that is likely to be and can prove it itself.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="request">What the read asks for.</param>
    /// <param name="now">The present moment.</param>
    /// <param name="positionSince">Returns the lowest known position at or above everything committed before a moment.</param>
    public ReplicaChoice ChooseGuarded(ClusterSnapshot snapshot, in ReadRequest request, Moment now, Func<Moment, ServerPosition?> positionSince)
    {
        Span<int> candidates = stackalloc int[snapshot.Nodes.Length];
        Span<WalPosition> guards = stackalloc WalPosition[snapshot.Nodes.Length];
        var count = 0;
        var unknownSince = Moment.Never;
        foreach (var state in snapshot.Nodes)
        {
            if (!IsLikelyFresh(state, snapshot.Primary, request, now))
            {
                continue;
            }

            var ordinal = state.Node.Ordinal;
            var floor = Moment.Later(request.FloorFor(ordinal), request.OldestAllowed(now, clock));
            if (state.VisibleThrough >= floor)
            {
                guards[ordinal] = request.Position;
            }
            else if (positionSince(floor) is { } known)
            {
                guards[ordinal] = known.Position > request.Position ? known.Position : request.Position;
            }
            else
            {
                unknownSince = Moment.Later(unknownSince, floor);
                continue;
            }

            if (ordinal == request.LastNode && !state.Node.IsBusy && !state.Ban.IsActive)
            {
                return new ReplicaChoice(state.Node, state.VisibleThrough, Freshness.Fresh, IsTrial: false, guards[ordinal]);
            }

            candidates[count++] = ordinal;
        }

        var choice = Pick(snapshot, candidates[..count], Freshness.BehindCaller, now);
        return choice.Node is { } node ? choice with { Guard = guards[node.Ordinal] } : choice with { UnknownSince = unknownSince };
    }

    // A replica that was far behind at its last measurement will not have caught up; asking it would only delay the read.
    private bool IsLikelyFresh(NodeState state, NodeState? primary, in ReadRequest request, Moment now) =>
        gate.Judge(state, primary, request, now) is Freshness.BehindCaller or Freshness.TooStale
        && !(state.IsRecovering && request.MaxStaleness <= options.MaxStaleness)
        && state.VisibleThrough.Until(state.Sample!.SentAt, clock) <= (options.ProbeInterval * 2) + options.CatchUpWait;

    private ReplicaChoice Pick(ClusterSnapshot snapshot, Span<int> candidates, Freshness nearest, Moment now)
    {
        while (!candidates.IsEmpty)
        {
            var index = options.Balancing == LoadBalancing.RoundRobin
                ? (int)((uint)Interlocked.Increment(ref _turn) % (uint)candidates.Length)
                : LessLoaded(snapshot, candidates, now);
            var state = snapshot.Nodes[candidates[index]];
            if (!state.Ban.IsActive || state.Node.TryTakeTrial())
            {
                return new ReplicaChoice(state.Node, state.VisibleThrough, Freshness.Fresh, state.Ban.IsActive);
            }

            // Another read is trying this node; the rest of the field stays.
            nearest = nearest > Freshness.Banned ? nearest : Freshness.Banned;
            candidates[index] = candidates[^1];
            candidates = candidates[..^1];
        }

        return new ReplicaChoice(null, Moment.Never, nearest, IsTrial: false);
    }

    // Power of two choices: nearly as even as comparing all, and it does not send every read of a moment to one node. Both are drawn by weight, so that
    // nodes without work share the reads by weight as well.
    private int LessLoaded(ClusterSnapshot snapshot, ReadOnlySpan<int> candidates, Moment now)
    {
        if (candidates.Length == 1)
        {
            return 0;
        }

        var first = Draw(snapshot, candidates, now, except: -1);
        var second = Draw(snapshot, candidates, now, except: first);
        var (one, other) = (snapshot.Nodes[candidates[first]], snapshot.Nodes[candidates[second]]);
        return Load(other, now) * Slowness(other, one) < Load(one, now) * Slowness(one, other) ? second : first;
    }

    private int Draw(ClusterSnapshot snapshot, ReadOnlySpan<int> candidates, Moment now, int except)
    {
        var total = 0.0;
        for (var index = 0; index < candidates.Length; index++)
        {
            total += index == except ? 0 : Weight(snapshot.Nodes[candidates[index]], now);
        }

        var mark = random.NextDouble() * total;
        var drawn = except == 0 ? 1 : 0;
        for (var index = drawn; index < candidates.Length && mark >= 0; index++)
        {
            if (index != except)
            {
                drawn = index;
                mark -= Weight(snapshot.Nodes[candidates[index]], now);
            }
        }

        return drawn;
    }

    private double Load(NodeState state, Moment now) => 1 + (state.Node.InFlight / Weight(state, now));

    private double Weight(NodeState state, Moment now) => state.Node.Traits.Weight * Ramp(state, now);

    // How much longer the node takes for the monitor's question than another one does. Reads are no measure: each asks something else, and a node that
    // gets none would never be measured again.
    private static double Slowness(NodeState node, NodeState other) =>
        node.Latency < _likeLatency || node.Latency < other.Latency * LikeFactor || other.Latency == TimeSpan.Zero ? 1 : node.Latency / other.Latency;

    private double Ramp(NodeState state, Moment now)
    {
        var serving = state.ServingSince.Until(now, clock);
        return serving >= options.RampUp ? 1 : Math.Max(RampStart, serving / options.RampUp);
    }

    // A free connection in another region beats a queue in the preferred one, and a queue anywhere beats the primary.
    private Tier TierOf(Node node)
    {
        var isNear = options.PreferredRegion is null || options.PreferredRegion == node.Traits.Region;
        return (isNear, node.IsBusy) switch
        {
            (true, false) => Tier.Near,
            (true, true) => Tier.NearButBusy,
            (false, false) => Tier.Far,
            (false, true) => Tier.FarAndBusy,
        };
    }

    private enum Tier
    {
        None,
        FarAndBusy,
        NearButBusy,
        Far,
        Near,
    }
}
