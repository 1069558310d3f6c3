using EfScaling.Consistency;
using EfScaling.Topology;

namespace EfScaling.Replication;

/// <summary>What one probe of a node found out.</summary>
/// <param name="Role">Whether the node is in recovery.</param>
/// <param name="Identity">The node's cluster and timeline.</param>
/// <param name="Position">On a primary the normalised insert position, on a replica the replay position.</param>
/// <param name="SentAt">When the probe was sent: what it says was true no earlier.</param>
/// <param name="ReceivedAt">When the answer was there: what it says was true no later.</param>
internal sealed record NodeSample(NodeRole Role, ServerIdentity Identity, WalPosition Position, Moment SentAt, Moment ReceivedAt)
{
    /// <summary>Gets when the server was started, in microseconds of its own clock: what tells it from every other server behind the same address.</summary>
    public ulong ServerStart { get; init; }

    /// <summary>Gets the sizes by which positions of the server's log become comparable.</summary>
    public WalGeometry Geometry { get; init; }

    /// <summary>Gets the server's number of the session that answered.</summary>
    public int Session { get; init; }
}
