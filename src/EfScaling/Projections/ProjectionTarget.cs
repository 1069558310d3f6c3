using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>Where the views of a projection are kept.</summary>
internal abstract class ProjectionTarget<TContext, TKey>
    where TContext : DbContext
    where TKey : notnull
{
    /// <summary>Gets whether views are kept outside of the database.</summary>
    public abstract bool IsExternal { get; }

    /// <summary>Returns the keys of the views that are there; <see langword="null"/> if they cannot be listed.</summary>
    public abstract KeyPages? AllKeys();

    /// <summary>Makes the views of keys as the database is now.</summary>
    public abstract Task ApplyAsync(TContext context, IServiceProvider services, IReadOnlyList<TKey> keys, long version, CancellationToken cancellationToken);
}
