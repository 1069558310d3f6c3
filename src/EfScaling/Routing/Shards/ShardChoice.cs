namespace EfScaling.Routing.Shards;

/// <summary>The shards that a command concerns. Without any of the three, it concerns no row of a shard, and any will do.</summary>
/// <param name="Single">The only one that is certain; <see langword="null"/> if there are several, or none.</param>
/// <param name="Several">All that are certain if there are several.</param>
/// <param name="Unknown">What keeps others from being certain; <see langword="null"/> if there are no others.</param>
internal readonly record struct ShardChoice(string? Single, IReadOnlyList<string>? Several, string? Unknown);
