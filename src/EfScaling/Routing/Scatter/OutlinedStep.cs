using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>A step of a query over several shards, as a tree.</summary>
/// <param name="Select">The query that each shard of its rows runs.</param>
/// <param name="Sequence">The order of its rows, if it begins with their shard key and not all of them are wanted.</param>
internal sealed record OutlinedStep(SelectExpression Select, ShardSequence? Sequence);
