using EfScaling.Caching;
using EfScaling.Replication.ChangeStream;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EfScaling.Routing;

/// <summary>Tells a context's query cache of every committed change in its database, by whomever: triggers, other applications, commands beside EF.</summary>
/// <remarks>Runs as long as the host. A change that the store cannot be told of is read again, so that none is lost.</remarks>
internal sealed class CacheChangeStream<TContext>(
    IServiceScopeFactory scopes, string connectionString, ChangeStreamOptions options, TimeProvider clock, ILogger<CacheChangeStream<TContext>> logger) : BackgroundService
    where TContext : DbContext
{
    /// <inheritdoc />
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var cache = FindCache();
        return new LogicalChanges(
            connectionString,
            options,
            async (changes, cancellationToken) => await cache.PublishAsync(
                changes.MayBeEverything ? null : [.. changes.Tables.Select(t => new TableName(t.Schema, t.Name))], cancellationToken).ConfigureAwait(false),
            clock,
            logger).RunAsync(stoppingToken);
    }

    // The cache outlives the context that it is found by.
    private QueryCache FindCache()
    {
        using var scope = scopes.CreateScope();
        var factory = scope.ServiceProvider.GetService<IDbContextFactory<TContext>>();
        using var own = factory?.CreateDbContext();
        var context = own ?? scope.ServiceProvider.GetRequiredService<TContext>();
        return context.GetInfrastructure().GetService<ReadRouter>()?.Cache?.Shared
            ?? throw new InvalidOperationException(
                $"AddQueryCacheChangeStream<{typeof(TContext).Name}> was called for a context without a query cache. Call UseQueryCache(...) on its options.");
    }
}
