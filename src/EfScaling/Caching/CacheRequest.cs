using EfScaling.Caching.Rows;

namespace EfScaling.Caching;

/// <summary>One query on its way to the cache.</summary>
/// <param name="Query">The query.</param>
/// <param name="State">What the cache knows of the database.</param>
/// <param name="Versions">The keys of the versions that its result depends on.</param>
/// <param name="Schema">The types of the result's columns.</param>
/// <param name="Key">What tells it from all others, parameters included.</param>
/// <param name="TimeToLive">How long its result is kept.</param>
internal sealed record CacheRequest(CachedQuery Query, CacheState State, string[] Versions, RowSchema Schema, UInt128 Key, TimeSpan TimeToLive);
