using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>A context of a dispatcher, and the services of the application for one round of its work.</summary>
internal sealed class DispatchContext(DbContext context, IServiceProvider services, IAsyncDisposable scope) : IAsyncDisposable
{
    /// <summary>Gets the context.</summary>
    public DbContext Context => context;

    /// <summary>Gets the services.</summary>
    public IServiceProvider Services => services;

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await context.DisposeAsync().ConfigureAwait(false);
        await scope.DisposeAsync().ConfigureAwait(false);
    }
}
