using EfScaling.Sharding;

namespace EfScaling.Routing.Checks;

/// <summary>A row on a shard that its key does not belong to.</summary>
/// <param name="Key">Its shard key. <see cref="object.ToString"/> shows no values of it.</param>
/// <param name="BelongsTo">The shard of the key; <see langword="null"/> if the map has none for it.</param>
public sealed record MisplacedRow(ShardKey Key, string? BelongsTo);
