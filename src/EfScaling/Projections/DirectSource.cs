using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>An entity with a property that holds the key of the view its rows belong to.</summary>
internal sealed class DirectSource<TSource, TKey>(Expression<Func<TSource, TKey>> key) : ProjectionSource(typeof(TSource), KeyProperty.NameOf(key), Direct)
    where TSource : class
    where TKey : notnull
{
    /// <inheritdoc />
    public override KeyPages AllKeys() => new EntityKeyPages<TSource, TKey>(key);

    /// <inheritdoc />
    public override Task<IReadOnlyList<string>> AffectedAsync(DbContext context, string value, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<string>>([value]);
}
