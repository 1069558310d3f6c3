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

    /// <summary>Returns a remembered position at or above what a session saw on no server in particular; <see langword="null"/> if it saw nothing there.</summary>
    ServerPosition? RememberedSince(SessionProgress progress) => progress.SeenSince is var seen && seen != Moment.Never ? RememberedSince(seen) : null;

    /// <summary>Returns a position at or above everything committed before a moment, from memory if possible, else by asking the primary.</summary>
    /// <returns><see langword="null"/> if the primary does not answer.</returns>
    ServerPosition? PositionSince(Moment moment);

    /// <inheritdoc cref="PositionSince" />
    ValueTask<ServerPosition?> PositionSinceAsync(Moment moment, CancellationToken cancellationToken);
}
