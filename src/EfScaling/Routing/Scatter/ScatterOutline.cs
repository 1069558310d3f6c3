using System.Collections.Immutable;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>How a query over several shards is answered, as trees: the steps that collect intermediate results, and the query that gives the rows.</summary>
/// <param name="Steps">Queries that run on the shards of their rows; each may use the results of those before it.</param>
/// <param name="Final">The query that gives the rows.</param>
/// <param name="Merge">How the rows of several shards are put together; <see langword="null"/> if any one shard can run the final query.</param>
/// <param name="NeedsWholeBuckets">Whether that holds only if all keys of a bucket live together.</param>
internal sealed record ScatterOutline(ImmutableArray<OutlinedStep> Steps, SelectExpression Final, Merge? Merge, bool NeedsWholeBuckets);
