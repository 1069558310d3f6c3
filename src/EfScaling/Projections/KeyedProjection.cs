using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>A projection whose views have keys of one type.</summary>
internal sealed class KeyedProjection<TContext, TView, TKey>(
    ProjectionOptions options, IReadOnlyList<ProjectionSource> sources, ProjectionTarget<TContext, TKey> target)
    : Projection(options, typeof(TView), sources)
    where TContext : DbContext
    where TView : class
    where TKey : notnull
{
    /// <inheritdoc />
    public override bool IsExternal => target.IsExternal;

    /// <inheritdoc />
    public override string FormatKey(object key) =>
        key is TKey ? ProjectionKey.FormatValue(key) : throw new ArgumentException($"The projection '{Name}' is keyed by '{typeof(TKey).Name}', but a key is a '{key?.GetType().Name}'.", nameof(key));

    /// <inheritdoc />
    public override IReadOnlyList<KeyPages> AllKeys(DbContext context) =>
        [.. Sources.Select(s => s.AllKeys()).Append(target.AllKeys()).OfType<KeyPages>()];

    /// <inheritdoc />
    public override Task ApplyAsync(DbContext context, IServiceProvider services, IReadOnlyList<string> keys, long version, CancellationToken cancellationToken) =>
        target.ApplyAsync((TContext)context, services, [.. keys.Select(ProjectionKey.Parse<TKey>)], version, cancellationToken);
}
