using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>When a result was known to be what the database has, and in which life of the database and the store.</summary>
/// <param name="State">The schema, and the life of the store.</param>
/// <param name="Timeline">The history of the database.</param>
/// <param name="At">The moment: everything that was published before is in the result.</param>
internal readonly record struct ResultProof(CacheState State, uint Timeline, Moment At);
