namespace EfScaling.Caching;

/// <summary>Whether a query's result may be kept.</summary>
internal enum CacheMode
{
    /// <summary>The query says nothing; the model and the policy of the context decide.</summary>
    Unsaid,

    /// <summary><c>Cacheable()</c> was called, or every entity of the query is marked <c>IsCacheable()</c>.</summary>
    Cacheable,

    /// <summary><c>NotCacheable()</c> was called.</summary>
    NotCacheable,
}
