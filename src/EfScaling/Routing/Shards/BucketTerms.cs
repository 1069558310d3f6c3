using System.Collections.Immutable;
using EfScaling.Sharding;

namespace EfScaling.Routing.Shards;

/// <summary>What tells the bucket of rows whose key is not certain: ids that carry it, or the key of rows in the same bucket.</summary>
/// <param name="Table">The table whose ids or key these are.</param>
/// <param name="Key">For each column of its shard key the terms one of whose values it holds; empty if the ids tell the bucket.</param>
/// <param name="Ids">The terms one of whose values the id holds.</param>
internal sealed record BucketTerms(ShardedTable Table, ImmutableArray<ImmutableArray<KeyTerm>> Key, ImmutableArray<KeyTerm> Ids);
