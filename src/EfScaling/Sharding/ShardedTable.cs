using System.Collections.Immutable;

namespace EfScaling.Sharding;

/// <summary>Where the rows of one table live.</summary>
/// <param name="Placement">Where.</param>
/// <param name="Map">The name of the shard map; empty for the one without a name.</param>
/// <param name="Key">The columns of the key in their order; empty if the table is not sharded, or its rows belong to others by an id.</param>
/// <param name="Ids">The columns whose values tell the bucket of their row.</param>
internal sealed record ShardedTable(TablePlacement Placement, string Map, ImmutableArray<ShardKeyColumn> Key, ImmutableArray<ShardedIdColumn> Ids)
{
    /// <summary>Returns what is known of a table that several entities share.</summary>
    public ShardedTable With(ShardedTable other) => this with { Key = Key.IsEmpty ? other.Key : Key, Ids = [.. Ids.Concat(other.Ids).DistinctBy(i => i.Name)] };

    /// <summary>A table on the default shard alone.</summary>
    public static ShardedTable OnDefaultShard { get; } = new(TablePlacement.DefaultShard, string.Empty, [], []);

    /// <summary>A table with a copy on every shard.</summary>
    public static ShardedTable Reference { get; } = new(TablePlacement.Reference, string.Empty, [], []);
}
