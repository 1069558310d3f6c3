using EfScaling.Topology;

namespace EfScaling.Consistency;

/// <summary>A position that a primary has answered.</summary>
/// <param name="Identity">The cluster and the history whose log the position is in.</param>
/// <param name="Position">The normalised insert position.</param>
/// <param name="AskedAt">When the question was sent: everything committed before lies at or below the position.</param>
internal readonly record struct ServerPosition(ServerIdentity Identity, WalPosition Position, Moment AskedAt);
