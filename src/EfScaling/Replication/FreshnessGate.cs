using EfScaling.Consistency;
using EfScaling.Topology;

namespace EfScaling.Replication;

/// <summary>Decides whether a node may serve a read, from its newest measurement.</summary>
/// <remarks>Holds no state beyond its options and reads time only from its arguments. Thread-safe.</remarks>
internal sealed class FreshnessGate(ReplicaOptions options, TimeProvider clock)
{
    // A probe may be late by its own time-out and still be followed by the next one on time.
    private readonly TimeSpan _maxSampleAge = options.ProbeTimeout + (options.ProbeInterval * 2);

    /// <summary>Judges one node for one read.</summary>
    /// <returns><see cref="Freshness.Fresh"/>, or the first reason that rules the node out.</returns>
    public Freshness Judge(NodeState state, NodeState? primary, in ReadRequest request, Moment now)
    {
        if (request.HasTried(state.Node.Ordinal))
        {
            return Freshness.AlreadyTried;
        }

        var standing = JudgeNode(state, primary, now);
        if (standing != Freshness.Fresh)
        {
            return standing;
        }

        if (state.VisibleThrough.Until(now, clock) > request.MaxStaleness)
        {
            return Freshness.TooStale;
        }

        // A read that allows more than the limit a node exceeded has no part in its flapping around that limit.
        if (state.IsRecovering && request.MaxStaleness <= options.MaxStaleness)
        {
            return Freshness.Recovering;
        }

        return state.Sample!.Position >= request.Position && state.VisibleThrough >= request.FloorFor(state.Node.Ordinal) ? Freshness.Fresh : Freshness.BehindCaller;
    }

    /// <summary>Judges a node for any read at all: everything but staleness and what the caller has seen.</summary>
    public Freshness JudgeNode(NodeState state, NodeState? primary, Moment now)
    {
        if (state.ProbeError is not null)
        {
            return Freshness.Unreachable;
        }

        if (state.Sample is not { } sample)
        {
            return Freshness.NeverMeasured;
        }

        // Age first: a node that stopped answering keeps its last good numbers and must not pass on them.
        if (sample.SentAt.Until(now, clock) > _maxSampleAge)
        {
            return Freshness.MeasurementTooOld;
        }

        if (sample.Role != NodeRole.Replica)
        {
            return Freshness.NotAReplica;
        }

        if (primary?.Sample is not { } reference)
        {
            return Freshness.PrimaryUnknown;
        }

        if (!sample.Identity.IsSameDatabaseAs(reference.Identity))
        {
            return Freshness.WrongCluster;
        }

        if (sample.Identity.Timeline != reference.Identity.Timeline)
        {
            return Freshness.WrongTimeline;
        }

        return state.Ban.IsActive && (now < state.Ban.Until || state.Node.IsOnTrial) ? Freshness.Banned : Freshness.Fresh;
    }
}
