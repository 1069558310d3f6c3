using System.Globalization;
using EfScaling.Caching;
using EfScaling.Replication;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.Benchmarks.Servers;

/// <summary>A primary with standbys that hold the rows of <see cref="ItemContext"/>.</summary>
internal sealed class ItemServers : IAsyncDisposable
{
    private ItemServers(PostgresCluster cluster) => Cluster = cluster;

    public PostgresCluster Cluster { get; }

    /// <summary>Starts the servers, fills the table and waits until the standbys have it.</summary>
    /// <param name="standbys">How many standbys.</param>
    /// <param name="serviceTime">What <see cref="ItemContext.Work"/> takes.</param>
    /// <param name="isDurable">Whether a commit waits for the disk.</param>
    public static async Task<ItemServers> StartAsync(int standbys, TimeSpan serviceTime = default, bool isDurable = false)
    {
        var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = standbys, Durable = isDurable });
        try
        {
            // A provider of its own: EF compares options in depth when others have built the provider, which would add to one side of a comparison.
            var options = new DbContextOptionsBuilder<ItemContext>().UseNpgsql(cluster.Primary.ConnectionString).EnableServiceProviderCaching(false).Options;
            await using var context = new ItemContext(options);
            await context.Database.EnsureCreatedAsync();
            await cluster.Primary.ExecuteAsync(Rows(serviceTime));
            await cluster.Primary.ExecuteAsync("VACUUM (FREEZE, ANALYZE)");
            await cluster.WaitForReplicationAsync();
            return new ItemServers(cluster);
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Creates another database with the same rows on the primary.</summary>
    /// <returns>Its connection string.</returns>
    public async Task<string> CreateDatabaseAsync(string name)
    {
        var database = new NpgsqlConnectionStringBuilder(Cluster.Primary.ConnectionString) { Database = name }.ConnectionString;
        await using var context = new ItemContext(new DbContextOptionsBuilder<ItemContext>().UseNpgsql(database).EnableServiceProviderCaching(false).Options);
        await context.Database.EnsureCreatedAsync();
        await context.Database.ExecuteSqlRawAsync(Rows(TimeSpan.Zero));
        await context.Database.ExecuteSqlRawAsync("VACUUM (FREEZE, ANALYZE)");
        return database;
    }

    /// <summary>Options of plain EF over one server.</summary>
    public static DbContextOptions<ItemContext> Options(string server) => new DbContextOptionsBuilder<ItemContext>().UseNpgsql(server).Options;

    /// <summary>Options of a context that writes to the primary and reads from the first standbys.</summary>
    public DbContextOptions<ItemContext> RoutedOptions(int replicas, Action<ReplicaOptionsBuilder>? configure = null) =>
        new DbContextOptionsBuilder<ItemContext>()
            .UseNpgsql(Cluster.Primary.ConnectionString)
            .UseReadReplicas(r =>
            {
                foreach (var standby in Cluster.Standbys.Take(replicas))
                {
                    r.AddReplica(standby.ConnectionString);
                }

                configure?.Invoke(r);
            })
            .Options;

    /// <summary>Options of a context over the primary with a query cache.</summary>
    public DbContextOptions<ItemContext> CachedOptions(Action<QueryCacheOptionsBuilder> configure)
    {
        var options = new DbContextOptionsBuilder<ItemContext>();
        options.UseNpgsql(Cluster.Primary.ConnectionString).UseQueryCache(configure);
        return options.Options;
    }

    /// <summary>Completes when the cache answers queries.</summary>
    public static Task WarmUpCacheAsync(DbContextOptions<ItemContext> options) => Eventually.ThatAsync(
        async () =>
        {
            await using var context = new ItemContext(options);
            _ = await context.Items.Where(i => i.Id == 0).Cacheable().CountAsync();
            return context.Database.LastRouting() is { Cache.IsHit: true };
        },
        TimeSpan.FromSeconds(30),
        "the query cache to answer");

    /// <summary>Completes when reads have reached each of the given number of standbys.</summary>
    public static Task WarmUpAsync(ContextStyle style, int replicas)
    {
        var seen = new HashSet<string>();
        return Eventually.ThatAsync(
            async () =>
            {
                var context = style.Rent();
                _ = await context.Items.AsNoTracking().FirstAsync(i => i.Id == 1);
                if (context.Database.LastRouting() is { Role: NodeRole.Replica } decision)
                {
                    seen.Add(decision.Node);
                }

                if (!style.IsKept)
                {
                    await context.DisposeAsync();
                }

                return seen.Count == replicas;
            },
            TimeSpan.FromSeconds(30),
            $"{replicas} replicas to serve reads");
    }

    private static string Rows(TimeSpan serviceTime) => string.Create(
        CultureInfo.InvariantCulture,
        $"""
        INSERT INTO "Items" ("Id", "Name", "Price", "Stock", "AddedAt")
        SELECT i, 'item number ' || i, i * 1.25, i % 100, now() FROM generate_series(1, {ItemContext.Count}) i;
        INSERT INTO "Beats" ("Id", "Number") VALUES (1, 0);
        CREATE FUNCTION work(id int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_sleep({serviceTime.TotalSeconds}); RETURN id; END $$;
        """);

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();
}
