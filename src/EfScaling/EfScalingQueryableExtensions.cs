using EfScaling.Consistency;
using EfScaling.Routing;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Says for one query where it may run. Without <c>UseReadReplicas</c>, and on queries that are not EF Core's, these operators do nothing.</summary>
public static class EfScalingQueryableExtensions
{
    /// <summary>Reads the primary, and so everything that is committed.</summary>
    /// <param name="source">The query.</param>
    /// <returns>The query, marked.</returns>
    public static IQueryable<T> AsPrimary<T>(this IQueryable<T> source) => source.TagWith(QueryHints.PrimaryTag);

    /// <summary>Allows a replica for a query that cannot be proven to only read: raw SQL and functions of the application.</summary>
    /// <remarks>
    /// The caller vouches that the query neither writes nor locks; a replica would refuse that and the query would run again on the primary. Freshness
    /// is as for any query, and inside a transaction the query stays on the primary.
    /// </remarks>
    /// <param name="source">The query.</param>
    /// <returns>The query, marked.</returns>
    public static IQueryable<T> AsReplica<T>(this IQueryable<T> source) => source.TagWith(QueryHints.ReplicaTag);

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
        return source.TagWith(QueryHints.StalenessTag(limit));
    }

    /// <summary>Says what the query asks of its data, whatever the scope and the context say.</summary>
    /// <param name="source">The query.</param>
    /// <param name="contract">The contract. Of several on one query the strictest counts.</param>
    /// <returns>The query, marked.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The value is not defined.</exception>
    public static IQueryable<T> WithContract<T>(this IQueryable<T> source, ReadContract contract) =>
        Enum.IsDefined(contract) ? source.TagWith(QueryHints.ContractTag(contract)) : throw new ArgumentOutOfRangeException(nameof(contract), contract, "The value is not defined.");

    /// <summary>Says in words where the query would run now and why, without running it.</summary>
    /// <param name="source">A query of a context with <c>UseReadReplicas</c>.</param>
    /// <returns>The node or nodes, each with its reason; no connection string and no SQL.</returns>
    /// <exception cref="InvalidOperationException">The query's context does not use read replicas.</exception>
    public static string ToRoutingString(this IQueryable source)
    {
        using var explanation = new RoutingExplanation();
        using var command = source.CreateDbCommand();
        return explanation.Text
            ?? throw new InvalidOperationException("ToRoutingString was called on a query whose context has no read replicas. Call UseReadReplicas(...) on its options.");
    }
}
