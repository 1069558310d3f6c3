using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>Walks through the keys that the rows of an entity hold, each once. Rows that a query filter hides count.</summary>
internal sealed class EntityKeyPages<TEntity, TKey>(Expression<Func<TEntity, TKey>> selector) : KeyPages
    where TEntity : class
    where TKey : notnull
{
    private readonly string _property = KeyProperty.NameOf(selector);
    private TKey? _last;
    private bool _hasBegun;

    /// <inheritdoc />
    public override async Task<IReadOnlyList<string>> NextAsync(DbContext context, int size, CancellationToken cancellationToken)
    {
        var property = _property;
        var keys = context.Set<TEntity>().IgnoreQueryFilters().AsNoTracking().Where(e => EF.Property<object?>(e, property) != null).Select(selector);
        if (_hasBegun)
        {
            keys = keys.Where(After(_last!));
        }

        var page = await keys.Distinct().OrderBy(k => k).Take(size).ToListAsync(cancellationToken).ConfigureAwait(false);
        if (page.Count > 0)
        {
            (_last, _hasBegun) = (page[^1], true);
        }

        return [.. page.Select(k => ProjectionKey.FormatValue(k))];
    }

    // By keys and not by offset: rows come and go meanwhile, and an offset would skip some of those that stay.
    private static Expression<Func<TKey, bool>> After(TKey last)
    {
        // A captured variable becomes a parameter of the query; a constant would make each page a query of its own in EF's cache.
        Expression<Func<TKey>> captured = () => last;
        var key = Expression.Parameter(typeof(TKey), "k");
        Expression condition = typeof(TKey) == typeof(string)
            ? Expression.GreaterThan(Expression.Call(typeof(string), nameof(string.Compare), null, key, captured.Body), Expression.Constant(0))
            : Expression.GreaterThan(key, captured.Body);
        return Expression.Lambda<Func<TKey, bool>>(condition, key);
    }
}
