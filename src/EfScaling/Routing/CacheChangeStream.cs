using EfScaling.Caching;
using EfScaling.Diagnostics;
using EfScaling.Replication;
using EfScaling.Replication.ChangeStream;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EfScaling.Routing;

/// <summary>Tells a context's query cache of every committed change in its database, by whomever: triggers, other applications, commands beside EF.</summary>
/// <remarks>Runs as long as the host, which it never stops. A change that the store cannot be told of is read again, so that none is lost.</remarks>
internal sealed class CacheChangeStream<TContext>(
    IServiceScopeFactory scopes, string connectionString, ChangeStreamOptions options, TimeProvider clock, ILogger<CacheChangeStream<TContext>> logger) : BackgroundService
    where TContext : DbContext
{
    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var cache = await FindCacheAsync(stoppingToken).ConfigureAwait(false);
        await new LogicalChanges(
            connectionString,
            options,
            async (changes, cancellationToken) => await cache.PublishAsync(
                changes.MayBeEverything ? null : [.. changes.Tables.Select(t => new TableName(t.Schema, t.Name))], cancellationToken).ConfigureAwait(false),
            clock,
            logger).RunAsync(stoppingToken).ConfigureAwait(false);
    }

    private async Task<QueryCache> FindCacheAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                return FindCache();
            }
#pragma warning disable CA1031 // Whatever making a context meets: an exception from here would end the application.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                logger.ChangeStreamRefused(options.Slot, options.LongestRetry.TotalSeconds, NodeError.Describe(failure));
            }

            await Task.Delay(options.LongestRetry, clock, stoppingToken).ConfigureAwait(false);
        }
    }

    // The cache outlives the context that it is found by.
    private QueryCache FindCache()
    {
        using var scope = scopes.CreateScope();
        var factory = scope.ServiceProvider.GetService<IDbContextFactory<TContext>>();
        using var own = factory?.CreateDbContext();
        var context = own ?? scope.ServiceProvider.GetRequiredService<TContext>();
        var cache = context.GetInfrastructure().GetService<ReadRouter>()?.Cache?.Shared
            ?? throw new InvalidOperationException(
                $"AddQueryCacheChangeStream<{typeof(TContext).Name}> was called for a context without a query cache. Call UseQueryCache(...) on its options.");

        // One instance reads the changes for all of them.
        return cache.Store is MemoryCacheStore
            ? throw new InvalidOperationException(
                $"AddQueryCacheChangeStream<{typeof(TContext).Name}> was called for a query cache in the memory of the process, where no other instance would hear of a change. "
                + "Call UseQueryCache(c => c.Redis(...)), or name another store that all instances share.")
            : cache;
    }
}
