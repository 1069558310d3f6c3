using System.Collections.Immutable;
using EfScaling.Sharding;

namespace EfScaling.Routing.Shards;

/// <summary>One use of a table in a query, and what is certain about the shard key of its rows that count.</summary>
/// <param name="Name">The table, in messages.</param>
/// <param name="Table">Where its rows live.</param>
/// <param name="Key">For each column of the shard key the terms one of whose values it holds; empty if nothing is certain, and for tables that are not sharded.</param>
/// <param name="Bucket">What tells the bucket of its rows if the key is not certain; <see langword="null"/> if nothing does.</param>
internal sealed record PlacedTable(string Name, ShardedTable Table, ImmutableArray<ImmutableArray<KeyTerm>> Key, BucketTerms? Bucket = null)
{
    /// <summary>Gets whether the shards of the rows that count are certain.</summary>
    public bool IsKnown => Table.Placement != TablePlacement.Sharded || !Key.IsEmpty || Bucket is not null;
}
