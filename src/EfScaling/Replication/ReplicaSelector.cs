using EfScaling.Consistency;
using EfScaling.Topology;

namespace EfScaling.Replication;

/// <summary>Picks the replica that serves a read: the one of the previous read, else by region, free connections and load.</summary>
/// <remarks>Decides from the snapshot and the nodes' load counters alone. Thread-safe; allocates nothing.</remarks>
internal sealed class ReplicaSelector(ReplicaOptions options, FreshnessGate gate, TimeProvider clock, Random random)
{
    // Share of its weight that a node starts with when it (re)joins.
    private const double RampStart = 0.1;

    // As a power of two: about a tenth of a millisecond. Less is not told apart, and a node whose latency is not known yet is taken for as fast.
    private const int FastestLatency = -13;

    // An old latency says little, and a node that gets no reads makes no new ones: what is known halves in this time, so that every node is tried again.
    private static readonly TimeSpan _latencyHalfLife = TimeSpan.FromSeconds(5);

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

    // Power of two choices: nearly as even as comparing all, and it does not send every read of a moment to one node.
    private int LessLoaded(ClusterSnapshot snapshot, ReadOnlySpan<int> candidates, Moment now)
    {
        if (candidates.Length == 1)
        {
            return 0;
        }

        var first = random.Next(candidates.Length);
        var second = random.Next(candidates.Length - 1);
        second += second >= first ? 1 : 0;
        return Load(snapshot.Nodes[candidates[second]], now) < Load(snapshot.Nodes[candidates[first]], now) ? second : first;
    }

    private double Load(NodeState state, Moment now) =>
        (state.Node.InFlight + 1) * LatencyFactor(state.Node, now) / (state.Node.Traits.Weight * Ramp(state, now));

    // In powers of two: nodes that differ by less, which is mostly noise, share the reads.
    private double LatencyFactor(Node node, Moment now)
    {
        if (node.LatencySeconds == 0)
        {
            return Math.ScaleB(1, FastestLatency);
        }

        var halvings = (int)(clock.GetElapsedTime(node.LatencyAt, now.Timestamp) / _latencyHalfLife);
        return Math.ScaleB(1, Math.Max(FastestLatency, Math.ILogB(node.LatencySeconds) - halvings));
    }

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
