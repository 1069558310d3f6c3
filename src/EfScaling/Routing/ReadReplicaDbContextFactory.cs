using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Routing;

/// <summary>Creates contexts that read from replicas and write to the primary, and contexts that only read.</summary>
/// <typeparam name="TContext">The context's type, configured with <c>UseReadReplicas</c>.</typeparam>
/// <param name="inner">Creates the contexts; pooled or not.</param>
/// <remarks>Thread-safe if the inner factory is, as those of EF Core are. The caller disposes the contexts.</remarks>
public sealed class ReadReplicaDbContextFactory<TContext>(IDbContextFactory<TContext> inner) : IDbContextFactory<TContext>
    where TContext : DbContext
{
    /// <summary>Creates a context that reads from replicas and writes to the primary.</summary>
    public TContext CreateDbContext() => inner.CreateDbContext();

    /// <summary>Creates a context that reads from replicas and writes to the primary.</summary>
    /// <param name="cancellationToken">Ends the creation.</param>
    public Task<TContext> CreateDbContextAsync(CancellationToken cancellationToken = default) => inner.CreateDbContextAsync(cancellationToken);

    /// <summary>Creates a context that tracks nothing and refuses to write: SaveChanges, ExecuteUpdate, ExecuteDelete and ExecuteSql throw.</summary>
    /// <exception cref="InvalidOperationException">The context's options do not call <c>UseReadReplicas</c>.</exception>
    public TContext CreateReadOnlyDbContext() => ReadOnly(inner.CreateDbContext());

    /// <inheritdoc cref="CreateReadOnlyDbContext" />
    /// <param name="cancellationToken">Ends the creation.</param>
    public async Task<TContext> CreateReadOnlyDbContextAsync(CancellationToken cancellationToken = default) =>
        ReadOnly(await inner.CreateDbContextAsync(cancellationToken).ConfigureAwait(false));

    private static TContext ReadOnly(TContext context)
    {
        if (((IInfrastructure<IServiceProvider>)context).Instance.GetService(typeof(ReadRouter)) is not ReadRouter router)
        {
            context.Dispose();
            throw new InvalidOperationException(
                $"CreateReadOnlyDbContext was called for '{typeof(TContext).Name}', whose options have no read replicas. Call UseReadReplicas(...) on them.");
        }

        router.IsReadOnly = true;
        context.ChangeTracker.QueryTrackingBehavior = QueryTrackingBehavior.NoTracking;
        return context;
    }
}
