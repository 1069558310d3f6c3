using EfScaling.Replication.ChangeStream;
using EfScaling.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers what runs beside the query cache.</summary>
public static class QueryCacheServiceCollectionExtensions
{
    /// <summary>Makes cached results old for every committed change in the database, by whomever: triggers, other applications, COPY, commands beside EF.</summary>
    /// <typeparam name="TContext">The context, with <c>UseQueryCache</c> and a store that all instances share, registered with the services itself or by a factory.</typeparam>
    /// <param name="services">The application's services.</param>
    /// <param name="connectionString">The database, with a role that may replicate (<c>REPLICATION</c>) and its password. The server needs <c>wal_level = logical</c>.</param>
    /// <param name="slot">The replication slot, shared by all instances of the application: one reads it, the others wait to take over.</param>
    /// <param name="publication">A publication <c>FOR ALL TABLES</c>; created if it is missing and the role is a superuser.</param>
    /// <param name="retentionLimit">How many bytes of log the server may keep for the slot before the event <c>ChangeSlotRetainsTooMuch</c> says so; 1 or more. Default 1 GiB.</param>
    /// <returns>The same services.</returns>
    /// <remarks>
    /// <para>
    /// Changes arrive a moment after their commit; the context's own writes are published by themselves, before they return. With such a publication PostgreSQL
    /// refuses to update or delete rows of tables without a primary key or replica identity. The slot keeps log on the server while no instance runs: bound it by
    /// <c>max_slot_wal_keep_size</c>. ALTER, DROP and REFRESH MATERIALIZED VIEW are not reported.
    /// </para>
    /// <para>A server or a context that is not set up for it does not stop the application: the event <c>ChangeStreamRefused</c> says what to do, and it is tried again.</para>
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The limit is less than 1.</exception>
    /// <exception cref="ArgumentException">A name is empty or no plain name of lower-case letters, digits and <c>_</c>.</exception>
    public static IServiceCollection AddQueryCacheChangeStream<TContext>(
        this IServiceCollection services, string connectionString, string slot = "efscaling_cache", string publication = "efscaling_cache", long retentionLimit = 1L << 30)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        var options = new ChangeStreamOptions { Slot = slot, Publication = publication, RetentionLimit = retentionLimit };
        services.TryAddSingleton(TimeProvider.System);
        services.AddLogging();
        return services.AddSingleton<IHostedService>(p => new CacheChangeStream<TContext>(
            p.GetRequiredService<IServiceScopeFactory>(),
            connectionString,
            options,
            p.GetRequiredService<TimeProvider>(),
            p.GetRequiredService<ILogger<CacheChangeStream<TContext>>>()));
    }
}
