namespace EfScaling.Routing.Scatter;

/// <summary>One of the columns, behind those that the query shows, by which rows of several shards are put in order.</summary>
/// <param name="Type">What it holds.</param>
/// <param name="IsDescending">Whether greater values come first, and nulls before all.</param>
internal readonly record struct MergeKey(MergeType Type, bool IsDescending);
