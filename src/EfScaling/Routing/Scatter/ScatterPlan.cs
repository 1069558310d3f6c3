using System.Collections.Immutable;

namespace EfScaling.Routing.Scatter;

/// <summary>How a query is answered from several shards. Made when a query needs it for the first time; immutable and thread-safe.</summary>
/// <param name="Steps">The commands that collect intermediate results, in their order; each may use the results of those before it.</param>
/// <param name="Final">The command that gives the rows.</param>
/// <param name="Merge">How rows of several shards become those of the query; <see langword="null"/> if any one shard can run the final command.</param>
/// <param name="NeedsWholeBuckets">Whether that holds only if all keys of a bucket live together.</param>
/// <param name="Refusal">Why there is no way; then the rest says nothing.</param>
internal sealed record ScatterPlan(ImmutableArray<ScatterStep> Steps, ScatterStep Final, Merge? Merge, bool NeedsWholeBuckets, ScatterRefusal? Refusal);
