using EfScaling.Topology;

namespace EfScaling.Consistency;

/// <summary>Tells how far the log of a cluster has grown.</summary>
/// <remarks>Thread-safe.</remarks>
internal interface IPositionSource
{
    /// <summary>Gets the name of the shard that the cluster serves; empty while there is only one.</summary>
    string Shard { get; }

    /// <summary>Gets the servers of which one is the primary, by which sources over the same cluster know each other.</summary>
    string Servers { get; }

    /// <summary>Gets the monotonic clock of the moments.</summary>
    TimeProvider Clock { get; }

    /// <summary>Gets the cluster and history of the present primary; <see langword="null"/> while it is not known.</summary>
    ServerIdentity? Identity { get; }

    /// <summary>Gets the sizes by which positions of the present primary's log become comparable; nothing while it is not known.</summary>
    WalGeometry Geometry { get; }

    /// <summary>Returns a position at or above everything committed before a moment, if one is remembered.</summary>
    ServerPosition? RememberedSince(Moment moment);

    /// <summary>Returns a position at or above everything committed before a moment, from memory if possible, else by asking the primary.</summary>
    /// <returns><see langword="null"/> if the primary does not answer.</returns>
    ServerPosition? PositionSince(Moment moment);

    /// <inheritdoc cref="PositionSince" />
    ValueTask<ServerPosition?> PositionSinceAsync(Moment moment, CancellationToken cancellationToken);

    /// <summary>Returns the position that the token of a session lacks; <see langword="null"/> if it lacks none, or the primary does not answer.</summary>
    ServerPosition? PositionFor(SessionProgress progress)
    {
        var since = progress.UnknownSince(Identity, Moment.Now(Clock));
        return since != Moment.Never ? PositionSince(since) : SeenSince(progress);
    }

    /// <inheritdoc cref="PositionFor" />
    async ValueTask<ServerPosition?> PositionForAsync(SessionProgress progress, CancellationToken cancellationToken)
    {
        var since = progress.UnknownSince(Identity, Moment.Now(Clock));
        return since != Moment.Never ? await PositionSinceAsync(since, cancellationToken).ConfigureAwait(false) : SeenSince(progress);
    }

    /// <summary>Returns a remembered position that covers what a session saw on no server in particular. Nobody is asked for it: the next session finds out.</summary>
    ServerPosition? SeenSince(SessionProgress progress) => progress.SeenSince is var seen && seen != Moment.Never ? RememberedSince(seen) : null;
}
