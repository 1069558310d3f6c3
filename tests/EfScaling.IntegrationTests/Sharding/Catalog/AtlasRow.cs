using EfScaling.Sharding;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>A row of an atlas.</summary>
/// <param name="Map">The map that places it.</param>
/// <param name="Key">Its key.</param>
/// <param name="Create">Makes the entity.</param>
/// <param name="Query">Asks for it.</param>
public sealed record AtlasRow(string Map, ShardKey Key, Func<object> Create, Func<AtlasContext, IQueryable<ICounted>> Query);
