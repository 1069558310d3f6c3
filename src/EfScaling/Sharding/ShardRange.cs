namespace EfScaling.Sharding;

/// <summary>The keys from one bound up to another, and their shard.</summary>
/// <param name="From">The least key, which belongs to the range; <see langword="null"/> for no lower bound.</param>
/// <param name="To">The first key beyond the range, which does not belong to it; <see langword="null"/> for no upper bound.</param>
/// <param name="Shard">The name of the shard.</param>
public sealed record ShardRange(ShardKey? From, ShardKey? To, string Shard);
