using System.Collections.Immutable;

namespace EfScaling.Sharding;

/// <summary>Where the rows of one table live.</summary>
/// <param name="Placement">Where.</param>
/// <param name="Map">The name of the shard map; empty for the one without a name.</param>
/// <param name="Key">The columns of the key in their order; empty if the table is not sharded.</param>
internal sealed record ShardedTable(TablePlacement Placement, string Map, ImmutableArray<ShardKeyColumn> Key)
{
    /// <summary>A table on the default shard alone.</summary>
    public static ShardedTable OnDefaultShard { get; } = new(TablePlacement.DefaultShard, string.Empty, []);

    /// <summary>A table with a copy on every shard.</summary>
    public static ShardedTable Reference { get; } = new(TablePlacement.Reference, string.Empty, []);
}
