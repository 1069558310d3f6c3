using EfScaling.Infrastructure;
using EfScaling.Routing.Shards;
using EfScaling.Routing.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the context factories of sharded databases, and what runs beside them.</summary>
public static class ShardingServiceCollectionExtensions
{
    private const int DefaultPoolSize = 1024;

    /// <summary>Registers a <see cref="ShardedDbContextFactory{TContext}"/>, also as <see cref="IDbContextFactory{TContext}"/>.</summary>
    /// <typeparam name="TContext">The context's type, with a constructor that takes its options.</typeparam>
    /// <param name="services">The application's services.</param>
    /// <param name="options">Configures the context: <c>UseNpgsql()</c>, then <c>UseSharding</c>.</param>
    /// <param name="poolSize">The most contexts that are kept for each shard; zero to make a new one each time.</param>
    /// <returns>The same services.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="poolSize"/> is negative.</exception>
    public static IServiceCollection AddShardedDbContextFactory<TContext>(
        this IServiceCollection services, Action<IServiceProvider, DbContextOptionsBuilder> options, int poolSize = DefaultPoolSize)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegative(poolSize);
        services.AddDbContextFactory<TContext>(options);
        services.RemoveAll<IDbContextFactory<TContext>>();
        services.AddSingleton(p => Create(p.GetRequiredService<DbContextOptions<TContext>>(), p, poolSize));
        services.AddSingleton<IDbContextFactory<TContext>>(p => p.GetRequiredService<ShardedDbContextFactory<TContext>>());
        return services;
    }

    /// <summary>Settles, while the application runs, what interrupted transactions over several shards have left prepared, and deletes decisions that nobody will ask for.</summary>
    /// <typeparam name="TContext">The context, with <c>UseSharding</c>, registered with the services itself or by a factory.</typeparam>
    /// <param name="services">The application's services.</param>
    /// <param name="period">How often to look, from 1 s on; every 15 s by default, and once at the start.</param>
    /// <returns>The same services.</returns>
    /// <remarks>
    /// Prepared parts hold their locks until they are settled. Whoever meets a failure settles them as well, but a process that dies leaves them to the others: let every instance do so, or one
    /// worker. A shard that does not answer is logged (<c>RecoveryFailed</c>), and what stays prepared for a minute as an error (<c>PreparedTooLong</c>).
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The period is less than 1 s.</exception>
    public static IServiceCollection AddShardTransactionRecovery<TContext>(this IServiceCollection services, TimeSpan? period = null)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(services);
        var every = period ?? TimeSpan.FromSeconds(15);
        ArgumentOutOfRangeException.ThrowIfLessThan(every, TimeSpan.FromSeconds(1), nameof(period));
        services.TryAddSingleton(TimeProvider.System);
        services.AddLogging();
        return services.AddSingleton<IHostedService>(p => new RegularRecovery<TContext>(
            p.GetRequiredService<IServiceScopeFactory>(), every, p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ILogger<RegularRecovery<TContext>>>()));
    }

    private static ShardedDbContextFactory<TContext> Create<TContext>(DbContextOptions<TContext> options, IServiceProvider services, int poolSize)
        where TContext : DbContext
    {
        if (options.FindExtension<EfScalingOptionsExtension>()?.Sharding is null)
        {
            throw new InvalidOperationException(
                $"AddShardedDbContextFactory was called for '{typeof(TContext).Name}' with options that have no shards. Call UseSharding(...) on them, after UseNpgsql().");
        }

        return new ShardedDbContextFactory<TContext>(Of(options), shard => Of((DbContextOptions<TContext>)ShardBinding.Bind(options, shard)));

        IDbContextFactory<TContext> Of(DbContextOptions<TContext> bound) =>
            poolSize > 0 ? new PooledDbContextFactory<TContext>(bound, poolSize) : new UnpooledFactory<TContext>(bound, services);
    }

    private sealed class UnpooledFactory<TContext>(DbContextOptions<TContext> options, IServiceProvider services) : IDbContextFactory<TContext>
        where TContext : DbContext
    {
        private readonly ObjectFactory<TContext> _create = ActivatorUtilities.CreateFactory<TContext>([options.GetType()]);

        public TContext CreateDbContext() => _create(services, [options]);
    }
}
