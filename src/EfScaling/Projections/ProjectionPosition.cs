using EfScaling.Consistency;

namespace EfScaling.Projections;

/// <summary>Carries in a consistency token the newest row of the outbox that a session wrote for a projection.</summary>
/// <remarks>
/// It stands as the position of a shard that no cluster serves. The number is no position of a log: after a failover it asks for too much rather than too
/// little, so it needs neither a cluster nor a history.
/// </remarks>
internal static class ProjectionPosition
{
    private const string Prefix = "projection:";

    /// <summary>Returns the token that asks for a row.</summary>
    public static ConsistencyToken TokenOf(string projection, long position) =>
        new([new ShardPosition(Prefix + projection, SystemId: 0, Timeline: 0, new WalPosition((ulong)position))]);

    /// <summary>Returns the row that a token asks for; zero for none, and <see cref="long.MaxValue"/> if nobody knows.</summary>
    public static long Find(ConsistencyToken token, string projection) =>
        token.IsUnknown ? long.MaxValue : (long)Math.Min(token.Find(Prefix + projection, systemId: 0)?.Position.Value ?? 0, long.MaxValue);
}
