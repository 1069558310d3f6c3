using System.Collections.Immutable;

namespace EfScaling.Sharding.Catalog;

/// <summary>What the catalog said, at one moment.</summary>
/// <param name="Id">The catalog: a number that no other has.</param>
/// <param name="Epoch">Grows with each change of a map.</param>
/// <param name="Maps">All maps.</param>
internal sealed record CatalogReading(long Id, long Epoch, ImmutableArray<CatalogMap> Maps);
