using EfScaling.Diagnostics;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EfScaling.Routing.Transactions;

/// <summary>Settles interrupted transactions over several shards from the start of the host on, as long as it runs.</summary>
/// <remarks>Never stops the host. Each instance of an application may have one.</remarks>
internal sealed class RegularRecovery<TContext>(IServiceScopeFactory scopes, TimeSpan period, TimeProvider clock, ILogger<RegularRecovery<TContext>> logger) : BackgroundService
    where TContext : DbContext
{
    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        ShardRecovery? recovery = null;
        while (true)
        {
            try
            {
                recovery ??= FindRecovery();
                await recovery.RunAsync(ShardRecovery.Patience, stoppingToken).ConfigureAwait(false);
            }
#pragma warning disable CA1031 // Whatever making a context meets: an exception from here would end the application.
            catch (Exception failure) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                logger.RecoveryFailed("all", NodeError.Describe(failure));
            }

            // Instances that were started together need not look at the same time.
            await Task.Delay(period * (0.9 + (Random.Shared.NextDouble() / 5)), clock, stoppingToken).ConfigureAwait(false);
        }
    }

    // It outlives the context that it is found by.
    private ShardRecovery FindRecovery()
    {
        using var scope = scopes.CreateScope();
        var factory = scope.ServiceProvider.GetService<IDbContextFactory<TContext>>();
        using var own = factory?.CreateDbContext();
        var context = own ?? scope.ServiceProvider.GetRequiredService<TContext>();
        return context.GetInfrastructure().GetService<ReadRouter>()?.Shards?.Recovery
            ?? throw new InvalidOperationException(
                $"AddShardTransactionRecovery<{typeof(TContext).Name}> was called for a context without shards. Call UseSharding(...) on its options.");
    }
}
