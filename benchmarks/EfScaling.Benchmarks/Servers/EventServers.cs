using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.Benchmarks.Servers;

/// <summary>Databases on one server with the rows of <see cref="EventContext"/>, each its own, and one with foreign tables over all of them.</summary>
internal sealed class EventServers : IAsyncDisposable
{
    public const int Shards = 4;

    private readonly PostgresCluster _cluster;

    private EventServers(PostgresCluster cluster) => _cluster = cluster;

    /// <summary>Gets the connection strings of the databases.</summary>
    public IReadOnlyList<string> Databases => [.. Enumerable.Range(0, Shards).Select(i => ConnectionTo($"events{i}"))];

    /// <summary>Gets the connection string of the database with the foreign tables.</summary>
    public string Coordinator => ConnectionTo("coordinator");

    /// <summary>Starts the server and fills the databases.</summary>
    public static async Task<EventServers> StartAsync()
    {
        var servers = new EventServers(await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0 }));
        foreach (var (database, shard) in servers.Databases.Select((d, i) => (d, i)))
        {
            await using var context = servers.On(database);
            await context.Database.EnsureCreatedAsync();
            await context.Database.ExecuteSqlRawAsync(
                FormattableString.Invariant($"INSERT INTO events (\"Owner\", \"Id\", \"At\", \"Value\") SELECT {shard} + {Shards} * (n % 1000), n, now() - n * interval '7 s' - {shard} * interval '1 s', n % 997 FROM generate_series(1, {EventContext.Count}) AS n"));
            await context.Database.ExecuteSqlRawAsync("VACUUM (FREEZE, ANALYZE)");
        }

        await servers._cluster.Primary.ExecuteAsync("CREATE DATABASE coordinator");
        await using var coordinator = servers.On(servers.Coordinator);
        await coordinator.Database.ExecuteSqlRawAsync(servers.ForeignTables());
        return servers;
    }

    /// <summary>Returns a context of plain EF over one database.</summary>
    public EventContext On(string database) => new(new DbContextOptionsBuilder().UseNpgsql(database).Options);

    /// <summary>Returns a context over all of them.</summary>
    public ShardedEventContext Sharded() => new(new DbContextOptionsBuilder<ShardedEventContext>()
        .UseNpgsql()
        .UseSharding(s =>
        {
            for (var i = 0; i < Shards; i++)
            {
                s.AddShard(FormattableString.Invariant($"s{i}"), Databases[i]);
            }
        })
        .Options);

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    private string ForeignTables()
    {
        var server = new NpgsqlConnectionStringBuilder(_cluster.Primary.ConnectionString);
        return "CREATE EXTENSION postgres_fdw; CREATE TABLE events (\"Owner\" int NOT NULL, \"Id\" bigint NOT NULL, \"At\" timestamptz NOT NULL, \"Value\" int NOT NULL) PARTITION BY RANGE (\"Owner\");"
            + string.Concat(Enumerable.Range(0, Shards).Select(i => FormattableString.Invariant(
                $"CREATE SERVER s{i} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{server.Host}', port '{server.Port}', dbname 'events{i}', use_remote_estimate 'true', async_capable 'true', fetch_size '10000'); CREATE USER MAPPING FOR CURRENT_USER SERVER s{i} OPTIONS (user '{server.Username}', password '{server.Password}'); CREATE FOREIGN TABLE events{i} PARTITION OF events FOR VALUES FROM ({i * 1_000_000}) TO ({(i + 1) * 1_000_000}) SERVER s{i} OPTIONS (table_name 'events');")))
            + "ANALYZE";
    }

    private string ConnectionTo(string database) => new NpgsqlConnectionStringBuilder(_cluster.Primary.ConnectionString) { Database = database }.ConnectionString;
}
