using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>An entity that appears in views of others, as a customer in the views of their orders.</summary>
/// <remarks>
/// Which views is asked when the change is dispatched, and so after its commit. Asked while it is written, the answer would miss a row that another
/// transaction links at the same time, and whose own change may be dispatched before this one is committed.
/// </remarks>
internal sealed class FanOutSource<TContext, TSource, TSourceKey, TKey>(
    Expression<Func<TSource, TSourceKey>> value, Func<TContext, TSourceKey, IQueryable<TKey>> affected)
    : ProjectionSource(typeof(TSource), KeyProperty.NameOf(value), $"{typeof(TSource).Name}.{KeyProperty.NameOf(value)}")
    where TContext : DbContext
    where TSource : class
    where TSourceKey : notnull
    where TKey : notnull
{
    /// <inheritdoc />
    public override KeyPages? AllKeys() => null;

    /// <inheritdoc />
    public override async Task<IReadOnlyList<string>> AffectedAsync(DbContext context, string value, CancellationToken cancellationToken)
    {
        var keys = await affected((TContext)context, ProjectionKey.Parse<TSourceKey>(value)).ToListAsync(cancellationToken).ConfigureAwait(false);
        return [.. keys.Select(k => ProjectionKey.FormatValue(k)).Distinct(StringComparer.Ordinal)];
    }
}
