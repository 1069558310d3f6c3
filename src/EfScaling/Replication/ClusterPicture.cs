using EfScaling.Consistency;
using EfScaling.Topology;

namespace EfScaling.Replication;

/// <summary>Turns what probes and reads report into the snapshot that decisions are made from.</summary>
/// <remarks>Thread-safe: one lock orders the reports, readers of <see cref="Current"/> take none.</remarks>
internal sealed class ClusterPicture
{
    // At four probes a second this remembers a quarter of an hour, the longest lag that can still be told.
    private const int ClockCapacity = 4_096;

    // A node that was too stale must be well within the limit this often before it serves again, or it would flap around the limit.
    private const int ProbesToRecover = 3;

    // A node's latency falls with the first faster probe and rises by this factor at most: one slow answer says little, ten in a row say a tenfold.
    private const double LatencyRise = 1.25;

    private readonly ReplicaOptions _options;
    private readonly FreshnessGate _gate;
    private readonly TimeProvider _clock;
    private readonly LsnClock _lsnClock = new(ClockCapacity);
    private readonly Lock _lock = new();
    private readonly bool _firstNodeIsReference;
    private volatile ClusterSnapshot _current;
    private ulong? _systemId;
    private ServerIdentity? _clockIdentity;
    private uint _highestTimeline;

    /// <param name="nodes">The nodes, in the order of their ordinals.</param>
    /// <param name="firstNodeIsReference">
    /// Whether the first node, being the one the context writes to, says which cluster this is; otherwise the first primary that answers does.
    /// </param>
    /// <param name="options">The limits.</param>
    /// <param name="gate">The judge of a node's standing.</param>
    /// <param name="clock">The monotonic clock.</param>
    public ClusterPicture(IReadOnlyList<Node> nodes, bool firstNodeIsReference, ReplicaOptions options, FreshnessGate gate, TimeProvider clock)
    {
        (_firstNodeIsReference, _options, _gate, _clock) = (firstNodeIsReference, options, gate, clock);
        _current = new ClusterSnapshot([.. nodes.Select(n => new NodeState(n))], Primary: null);
    }

    /// <summary>Gets the newest snapshot.</summary>
    public ClusterSnapshot Current => _current;

    /// <summary>Takes in the answer of a probe.</summary>
    /// <returns>The node's state before and after.</returns>
    public (NodeState Before, NodeState After) Report(Node node, NodeSample sample)
    {
        lock (_lock)
        {
            var before = _current.Nodes[node.Ordinal];
            if (_firstNodeIsReference ? node.Ordinal == 0 : _systemId is null && sample.Role == NodeRole.Primary)
            {
                // A cluster that was made anew has another identifier, and its histories start again.
                _highestTimeline = _systemId == sample.Identity.SystemId ? _highestTimeline : 0;
                _systemId = sample.Identity.SystemId;
            }

            if (sample.Role == NodeRole.Primary && sample.Identity.SystemId == _systemId)
            {
                _highestTimeline = Math.Max(_highestTimeline, sample.Identity.Timeline);
            }

            Publish(before with { Sample = sample, ProbeError = null, Latency = Smooth(before.Latency, sample.SentAt.Until(sample.ReceivedAt, _clock)) });

            var primary = _current.Primary;
            if (primary?.Node == node)
            {
                // Positions of two histories do not compare.
                if (_clockIdentity != sample.Identity)
                {
                    _lsnClock.Clear();
                    _clockIdentity = sample.Identity;
                }

                _lsnClock.Record(sample.SentAt, sample.Position);
                foreach (var state in _current.Nodes)
                {
                    Publish(Place(state, countProbe: false));
                }
            }
            else
            {
                Publish(Place(_current.Nodes[node.Ordinal], countProbe: true));
            }

            return (before, _current.Nodes[node.Ordinal]);
        }
    }

    /// <summary>Takes in the failure of a probe.</summary>
    /// <returns>The node's state before.</returns>
    public NodeState ReportUnreachable(Node node, string error)
    {
        lock (_lock)
        {
            var before = _current.Nodes[node.Ordinal];
            Publish(before with { ProbeError = error, ServingSince = Moment.Never });
            return before;
        }
    }

    /// <summary>Takes in that a read failed on a node through the node's fault.</summary>
    public NodeBan Ban(Node node)
    {
        lock (_lock)
        {
            var state = _current.Nodes[node.Ordinal];
            var ban = state.Ban.After(Moment.Now(_clock), _clock);
            Publish(state with { Ban = ban, ServingSince = Moment.Never });
            return ban;
        }
    }

    /// <summary>Takes in that a read succeeded on a node under trial.</summary>
    public void Pardon(Node node)
    {
        lock (_lock)
        {
            Publish(Place(_current.Nodes[node.Ordinal] with { Ban = NodeBan.None }, countProbe: false));
        }
    }

    /// <summary>Returns the lowest known position of the present primary at or above everything that was committed before a moment.</summary>
    public ServerPosition? PositionSince(Moment moment)
    {
        lock (_lock)
        {
            return _clockIdentity is { } identity && _lsnClock.PositionSince(moment) is { } sample ? new ServerPosition(identity, sample.Position, sample.SentAt) : null;
        }
    }

    /// <summary>Returns until when everything committed is visible on a server that has replayed a position.</summary>
    public Moment VisibleThrough(WalPosition replayed)
    {
        lock (_lock)
        {
            return _lsnClock.VisibleThrough(replayed);
        }
    }

    /// <summary>Forgets every measurement, because the monitor pauses and what it knew goes stale.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            _lsnClock.Clear();
            _current = new ClusterSnapshot([.. _current.Nodes.Select(s => new NodeState(s.Node) { Ban = s.Ban })], Primary: null);
        }
    }

    // The lock must be held.
    private NodeState Place(NodeState state, bool countProbe)
    {
        if (state.Sample is not { Role: NodeRole.Replica } sample)
        {
            return state;
        }

        var now = Moment.Now(_clock);
        var placed = state with { VisibleThrough = sample.Identity == _clockIdentity ? _lsnClock.VisibleThrough(sample.Position) : Moment.Never };
        placed = Settle(placed, placed.VisibleThrough.Until(now, _clock), countProbe);

        var serves = _gate.JudgeNode(placed, _current.Primary, now) == Freshness.Fresh
            && !placed.IsRecovering
            && placed.VisibleThrough.Until(now, _clock) <= _options.MaxStaleness;
        return (serves, placed.ServingSince == Moment.Never) switch
        {
            (true, true) => placed with { ServingSince = now },
            (false, false) => placed with { ServingSince = Moment.Never },
            _ => placed,
        };
    }

    private NodeState Settle(NodeState state, TimeSpan staleness, bool countProbe)
    {
        if (staleness > _options.MaxStaleness)
        {
            // A node that has not served yet has nothing to flap between.
            return state with { IsRecovering = state.IsRecovering || state.ServingSince != Moment.Never, GoodProbes = 0 };
        }

        if (!state.IsRecovering || !countProbe)
        {
            return state;
        }

        var goodProbes = staleness <= _options.MaxStaleness / 2 ? state.GoodProbes + 1 : 0;
        return goodProbes >= ProbesToRecover ? state with { IsRecovering = false, GoodProbes = 0 } : state with { GoodProbes = goodProbes };
    }

    private static TimeSpan Smooth(TimeSpan known, TimeSpan measured) =>
        known == TimeSpan.Zero || measured < known * LatencyRise ? measured : known * LatencyRise;

    // The lock must be held.
    private void Publish(NodeState state)
    {
        NodeState[] nodes = [.. _current.Nodes];
        nodes[state.Node.Ordinal] = state;
        _current = new ClusterSnapshot(nodes, PrimaryAmong(nodes));
    }

    // The highest timeline ever seen is the newest history; a former primary that comes back has a lower one. A primary that stopped answering stays the
    // reference for the timeline until another one is seen.
    private NodeState? PrimaryAmong(NodeState[] nodes)
    {
        // Where the context writes is where its writes are, whatever other server calls itself the primary.
        if (_firstNodeIsReference && nodes[0].Sample is { Role: NodeRole.Primary })
        {
            return nodes[0];
        }

        NodeState? primary = null;
        foreach (var state in nodes)
        {
            if (state.Sample is { Role: NodeRole.Primary } sample
                && sample.Identity.SystemId == _systemId
                && sample.Identity.Timeline == _highestTimeline
                && primary is null)
            {
                primary = state;
            }
        }

        return primary;
    }
}
