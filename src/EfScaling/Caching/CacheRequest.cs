using EfScaling.Caching.Rows;

namespace EfScaling.Caching;

/// <summary>One query on its way to the cache.</summary>
/// <param name="Query">The query.</param>
/// <param name="Dependencies">What its result depends on.</param>
/// <param name="Key">What tells it from all others, parameters included.</param>
/// <param name="TimeToLive">How long its result is kept.</param>
internal sealed record CacheRequest(CachedQuery Query, CachedQuery.Dependencies Dependencies, UInt128 Key, TimeSpan TimeToLive)
{
    /// <summary>Gets what the cache knows of the database.</summary>
    public CacheState State => Dependencies.State;

    /// <summary>Gets the keys of the versions that the result depends on.</summary>
    public string[] Versions => Dependencies.Versions;

    /// <summary>Gets the types of the result's columns.</summary>
    public RowSchema Schema => Dependencies.Schema!;

    /// <summary>Gets whether results of the query are used before writes make them old.</summary>
    public FillBalance Balance => Dependencies.Balance;
}
