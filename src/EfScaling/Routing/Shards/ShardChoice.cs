namespace EfScaling.Routing.Shards;

/// <summary>The shards that a command concerns. Without any of the three, it concerns no row of a shard, and any will do.</summary>
/// <param name="Single">The only one; <see langword="null"/> if there are several, or it is not certain which.</param>
/// <param name="Several">All of them if there are several.</param>
/// <param name="Unknown">What keeps the shards from being certain; <see langword="null"/> if they are.</param>
internal readonly record struct ShardChoice(string? Single, IReadOnlyList<string>? Several, string? Unknown);
