using System.Collections.Frozen;
using EfScaling.Sharding.Catalog;

namespace EfScaling.Sharding;

/// <summary>The shard maps of one moment. Immutable; a change of a map is another picture.</summary>
/// <param name="Maps">The maps that the model names.</param>
/// <param name="Ownership">What shards must own for each map to be right; <see langword="null"/> without a catalog.</param>
/// <param name="Epoch">Grows with each change of a map in the catalog; zero without one.</param>
internal sealed record ShardPicture(FrozenDictionary<string, ShardMap> Maps, FrozenDictionary<string, MapOwnership>? Ownership = null, long Epoch = 0);
