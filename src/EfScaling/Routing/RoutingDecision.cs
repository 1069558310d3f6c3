using EfScaling.Caching;
using EfScaling.Topology;

namespace EfScaling.Routing;

/// <summary>Where a command ran, why, and how old its data may have been.</summary>
/// <param name="Node">Host and port of the node.</param>
/// <param name="Role">What the node was taken for.</param>
/// <param name="Reason">Why the command ran there.</param>
/// <param name="StalenessBound">Upper bound on the age of the data; zero on the primary, and for results of the cache that are right now.</param>
/// <param name="Attempts">How many nodes were asked; more than one when a node failed before its first row.</param>
public readonly record struct RoutingDecision(string Node, NodeRole Role, RoutingReason Reason, TimeSpan StalenessBound, int Attempts)
{
    /// <summary>Gets what the query cache did; <see langword="null"/> if it had no part in the command.</summary>
    public CacheDecision? Cache { get; init; }

    /// <summary>Gets the shard that the command concerned; <see langword="null"/> without sharding.</summary>
    public string? Shard { get; init; }

    /// <summary>Writes the decision in one line, such as <c>replica 10.0.0.2:5432: FreshReplica, at most 0.120 s old</c>.</summary>
    public override string ToString()
    {
        var where = Role switch
        {
            NodeRole.Replica => FormattableString.Invariant($"replica {Node}: {Reason}, at most {StalenessBound.TotalSeconds:0.000} s old"),
            NodeRole.Cache when StalenessBound > TimeSpan.Zero => FormattableString.Invariant($"cache {Node}: {Cache}, at most {StalenessBound.TotalSeconds:0.000} s old"),
            NodeRole.Cache => $"cache {Node}: {Cache}",
            NodeRole.Coordinator => $"fallback coordinator {Node}, slow: {Reason}",
            _ => $"primary {Node}: {Reason}",
        };
        where = Shard is null ? where : $"shard {Shard}, {where}";
        return Cache is { IsHit: false } uncached ? $"{where}; cache: {uncached}" : where;
    }
}
