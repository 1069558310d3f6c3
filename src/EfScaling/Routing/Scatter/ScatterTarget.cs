using EfScaling.Sharding.Catalog;

namespace EfScaling.Routing.Scatter;

/// <summary>A shard that a part of a query runs on.</summary>
/// <param name="Router">The router of the shard.</param>
/// <param name="Claim">What the shard must own for it; <see langword="null"/> if nothing, or without a catalog.</param>
internal readonly record struct ScatterTarget(ReadRouter Router, OwnershipClaim? Claim);
