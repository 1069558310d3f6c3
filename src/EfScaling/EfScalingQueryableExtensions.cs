using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Routing;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Says for one query where it may run. Without <c>UseReadReplicas</c>, and on queries that are not EF Core's, these operators do nothing.</summary>
public static class EfScalingQueryableExtensions
{
    /// <summary>Reads the primary, and so everything that is committed.</summary>
    /// <param name="source">The query.</param>
    /// <returns>The query, marked.</returns>
    public static IQueryable<T> AsPrimary<T>(this IQueryable<T> source) => QueryTag<T>.Add(source, QueryHints.PrimaryTag);

    /// <summary>Allows a replica for a query that cannot be proven to only read: raw SQL and functions of the application.</summary>
    /// <remarks>
    /// The caller vouches that the query neither writes nor locks; a replica would refuse that and the query would run again on the primary. Freshness
    /// is as for any query, and inside a transaction the query stays on the primary.
    /// </remarks>
    /// <param name="source">The query.</param>
    /// <returns>The query, marked.</returns>
    public static IQueryable<T> AsReplica<T>(this IQueryable<T> source) => QueryTag<T>.Add(source, QueryHints.ReplicaTag);

    /// <summary>Limits how old the data of the query may be, whatever the scope and the context say.</summary>
    /// <param name="source">The query.</param>
    /// <param name="limit">
    /// Zero or more; zero reads the primary. Rounded down to two significant digits, because each value is compiled as a query of its own.
    /// </param>
    /// <returns>The query, marked.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The limit is negative.</exception>
    public static IQueryable<T> WithMaxStaleness<T>(this IQueryable<T> source, TimeSpan limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, TimeSpan.Zero);
        return QueryTag<T>.Add(source, QueryHints.StalenessTag(limit));
    }

    /// <summary>Says what the query asks of its data, whatever the scope and the context say.</summary>
    /// <param name="source">The query.</param>
    /// <param name="contract">The contract. Of several on one query the strictest counts.</param>
    /// <returns>The query, marked.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The value is not defined.</exception>
    public static IQueryable<T> WithContract<T>(this IQueryable<T> source, ReadContract contract) =>
        Enum.IsDefined(contract) ? QueryTag<T>.Add(source, QueryHints.ContractTag(contract)) : throw new ArgumentOutOfRangeException(nameof(contract), contract, "The value is not defined.");

    /// <summary>Runs the query on one shard of a context that spans all of them, also if it names no key, or is SQL of the application.</summary>
    /// <param name="source">The query.</param>
    /// <param name="shard">The name of the shard; that of a key is told by <c>Database.GetShardMap().ShardOf(key)</c>. Each name is compiled as a query of its own.</param>
    /// <returns>The query, marked. It gives the rows of that shard and no others; on a context without <c>UseSharding</c> the mark does nothing.</returns>
    /// <remarks>A query that certainly concerns another shard is refused when it runs. For writes create a context of the shard.</remarks>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public static IQueryable<T> OnShard<T>(this IQueryable<T> source, string shard)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(shard);
        return QueryTag<T>.Add(source, QueryHints.ShardTag(shard));
    }

    /// <summary>Keeps the result of the query, so that the same query with the same parameters is answered without a database until a write makes it old.</summary>
    /// <param name="source">The query.</param>
    /// <param name="timeToLive">
    /// How long the result is kept at most; <see langword="null"/> for the context's default. Rounded down to two significant digits, because each value is
    /// compiled as a query of its own.
    /// </param>
    /// <param name="isSliding">Whether each hit starts the time anew.</param>
    /// <returns>The query, marked.</returns>
    /// <remarks>
    /// Every operator of EF may follow or precede: tracking, projections, Include, split queries, aggregates. Inside a transaction and with <c>AsPrimary()</c> the
    /// query runs in the database. A query whose result depends on more than tables and parameters is not kept; <c>LastRouting()</c> says why.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The time is not greater than zero.</exception>
    public static IQueryable<T> Cacheable<T>(this IQueryable<T> source, TimeSpan? timeToLive = null, bool isSliding = false)
    {
        if (timeToLive is { } time)
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(time, TimeSpan.Zero, nameof(timeToLive));
            timeToLive = QueryHints.RoundDown(time);
        }

        return QueryTag<T>.Add(source, CacheHints.TimeTag(timeToLive, isSliding));
    }

    /// <summary>Keeps the query out of the cache, whatever the model and the context say.</summary>
    /// <param name="source">The query.</param>
    /// <returns>The query, marked.</returns>
    public static IQueryable<T> NotCacheable<T>(this IQueryable<T> source) => QueryTag<T>.Add(source, CacheHints.NotCacheableTag);

    /// <summary>Gives the cached result a name, by which <c>Database.InvalidateCacheTagsAsync</c> makes it old.</summary>
    /// <param name="source">The query.</param>
    /// <param name="tag">The name; one of a few, because each is compiled as a query of its own.</param>
    /// <returns>The query, marked.</returns>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public static IQueryable<T> WithCacheTag<T>(this IQueryable<T> source, string tag)
    {
        ArgumentException.ThrowIfNullOrEmpty(tag);
        return QueryTag<T>.Add(source, CacheHints.NameTag(tag));
    }

    /// <summary>Tells the cached result apart from those of the same query with another value; for values that change per context use <c>UseQueryCache(c =&gt; c.VaryBy(...))</c>.</summary>
    /// <param name="source">The query.</param>
    /// <param name="value">The value; one of a few, because each is compiled as a query of its own.</param>
    /// <returns>The query, marked.</returns>
    public static IQueryable<T> VaryBy<T>(this IQueryable<T> source, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return QueryTag<T>.Add(source, CacheHints.VaryTag(value));
    }

    /// <summary>Names a table that the query reads without EF knowing, through SQL or a function of the application, so that its result can be cached.</summary>
    /// <param name="source">The query.</param>
    /// <param name="table">The table's or view's name.</param>
    /// <param name="schema">Its schema; <see langword="null"/> to find it by the search path.</param>
    /// <returns>The query, marked.</returns>
    /// <remarks>The caller vouches that all such tables are named, and that the SQL depends on nothing else, such as the time.</remarks>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public static IQueryable<T> DependsOnTable<T>(this IQueryable<T> source, string table, string? schema = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(table);
        return QueryTag<T>.Add(source, CacheHints.TableTag(new TableName(schema, table)));
    }

    /// <summary>Lets one process at a time load the result when many ask for it; others wait for it for a while.</summary>
    /// <param name="source">The query.</param>
    /// <returns>The query, marked.</returns>
    /// <remarks>Within a process a result is always loaded once. Costs another round trip to the store with each load.</remarks>
    public static IQueryable<T> AsExpensive<T>(this IQueryable<T> source) => QueryTag<T>.Add(source, CacheHints.ExpensiveTag);

    /// <summary>Answers with a result that a write has just made old while another reader of the process loads the new one, instead of waiting for that.</summary>
    /// <param name="source">The query, which must be cached for this to have an effect.</param>
    /// <param name="maxAge">
    /// How long ago the old result must have been known to be right; greater than zero. Rounded down to two significant digits, because each value is compiled
    /// as a query of its own; of several calls the shortest counts, and so does a shorter <c>WithMaxStaleness</c> or <c>MaxStaleness</c>.
    /// </param>
    /// <returns>The query, marked.</returns>
    /// <remarks>
    /// For results that many ask for and writes often make old. The outcome is <see cref="CacheOutcome.StaleHit"/>. A context or <c>ConsistencySession</c> that
    /// has written, has made results old by itself or brought a consistency token along is never answered so, nor one that has read anything newer.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The time is not greater than zero.</exception>
    public static IQueryable<T> StaleWhileRefilling<T>(this IQueryable<T> source, TimeSpan maxAge)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(maxAge, TimeSpan.Zero);
        return QueryTag<T>.Add(source, CacheHints.StaleTag(QueryHints.RoundDown(maxAge)));
    }

    /// <summary>Answers with a result that was right a while ago when the database, or the shard, cannot be reached, instead of failing.</summary>
    /// <param name="source">The query, which must be cached for this to have an effect.</param>
    /// <param name="maxAge">
    /// How long ago the result must have been known to be right; greater than zero. Rounded down to two significant digits, because each value is compiled as a
    /// query of its own; of several calls the shortest counts, and so does a shorter <c>WithMaxStaleness</c> of the query or scope around it. It counts in place
    /// of the context's <c>MaxStaleness</c> and <c>ServeCachedWhenDown</c>.
    /// </param>
    /// <returns>The query, marked.</returns>
    /// <remarks>
    /// A result that is known to be right is used whether or not the database can be reached. This is about the others: those that a write has made old, and all
    /// while the store cannot be asked. Every query tries the database first, which takes as long as connecting fails, and no execution strategy repeats that. It
    /// is answered only if no server refused what it asks: none can be reached, or the one that can is starting, stopping, damaged or refuses the login, or no
    /// connection came free in time; a command that takes too long fails as ever. The result comes from the memory of the process, within its time to live, and
    /// the outcome is <see cref="CacheOutcome.DownHit"/>. A context or <c>ConsistencySession</c> that has written, has made results old by itself or brought a
    /// consistency token along is never answered so, nor one that has read anything newer. Inside transactions and with <c>LocalMemory(0)</c> it has no effect.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The time is not greater than zero.</exception>
    public static IQueryable<T> ServeCachedWhenDown<T>(this IQueryable<T> source, TimeSpan maxAge)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(maxAge, TimeSpan.Zero);
        return QueryTag<T>.Add(source, CacheHints.DownTag(QueryHints.RoundDown(maxAge)));
    }

    /// <summary>Says in words where the query would run now and why, without running it.</summary>
    /// <param name="source">A query of a context with <c>UseReadReplicas</c>, <c>UseQueryCache</c> or <c>UseSharding</c>.</param>
    /// <returns>
    /// The shard with the conditions that decided it, or why the query is refused; what the cache would do; and the node or nodes, each with its reason. No
    /// connection string, no SQL and no values of keys.
    /// </returns>
    /// <exception cref="InvalidOperationException">The query's context uses none of them.</exception>
    public static string ToRoutingString(this IQueryable source)
    {
        using var explanation = new RoutingExplanation();
        using var command = source.CreateDbCommand();
        return explanation.Text
            ?? throw new InvalidOperationException("ToRoutingString was called on a query whose context has neither read replicas nor a query cache nor shards. Call UseReadReplicas(...), UseQueryCache(...) or UseSharding(...) on its options.");
    }
}
