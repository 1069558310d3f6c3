using EfScaling.IntegrationTests.Clusters;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>Four databases on one server, with names of their own, that do not exist until something creates them.</summary>
internal sealed class LedgerDatabases(ClusterFixture fixture) : IAsyncDisposable
{
    public static readonly string[] Shards = ["north", "east", "south", "west"];

    private readonly string _name = $"ledger_{Guid.NewGuid():N}";

    /// <summary>Returns what leads to the database of a shard.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="server">The server; <see langword="null"/> for the primary.</param>
    public string ConnectionTo(string shard, PostgresServer? server = null) =>
        new NpgsqlConnectionStringBuilder((server ?? fixture.Cluster.Primary).ConnectionString) { Database = $"{_name}_{shard}" }.ConnectionString;

    /// <summary>Configures contexts over the shards, all of one test class with the same capabilities.</summary>
    /// <param name="options">The options.</param>
    /// <param name="more">Sets more of the shards.</param>
    /// <param name="west">Leads to the shard 'west' another way.</param>
    /// <param name="role">Who logs in; <see langword="null"/> for the owner.</param>
    public DbContextOptionsBuilder Configure(DbContextOptionsBuilder options, Action<ShardingOptionsBuilder>? more = null, string? west = null, string? role = null) => options
        .UseNpgsql()
        .UseSharding(s =>
        {
            Array.ForEach(Shards, shard => s.AddShard(shard, shard == "west" && west is not null ? west : As(role, ConnectionTo(shard))));
            more?.Invoke(s);
        })
        .ConfigureWarnings(w => w.Ignore(RelationalEventId.PendingModelChangesWarning));

    /// <summary>The same, each shard with a replica.</summary>
    public DbContextOptionsBuilder ConfigureWithReplicas(DbContextOptionsBuilder options) => options
        .UseNpgsql()
        .UseSharding(s => Array.ForEach(Shards, shard => s.AddShard(shard, ConnectionTo(shard), r => r.AddReplica(ConnectionTo(shard, fixture.Cluster.Standbys[0])))))
        .UseQueryCache();

    /// <summary>A context that spans all shards.</summary>
    public LedgerContext Spanning() => new(Configure(new DbContextOptionsBuilder<LedgerContext>()).Options);

    /// <summary>Creates the empty database of a shard.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="settings">What it is created with.</param>
    public Task CreateAsync(string shard, string settings = "") => fixture.Cluster.Primary.ExecuteAsync($"CREATE DATABASE {_name}_{shard} {settings}");

    /// <summary>Creates a role that may only log in and use the tables of the ledger.</summary>
    public async Task<string> CreateRoleAsync()
    {
        var password = new NpgsqlConnectionStringBuilder(fixture.Cluster.Primary.ConnectionString).Password;
        await fixture.Cluster.Primary.ExecuteAsync($"CREATE ROLE {_name} LOGIN PASSWORD '{password}'");
        foreach (var shard in Shards)
        {
            await ExecuteAsync(shard, $"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {_name}");
        }

        return _name;
    }

    /// <summary>Runs SQL on a shard, beside EF.</summary>
    public async Task ExecuteAsync(string shard, string sql)
    {
        await using var source = NpgsqlDataSource.Create(ConnectionTo(shard));
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Reads the first column of a query on every shard, beside EF.</summary>
    public async Task<Dictionary<string, List<T>>> QueryAsync<T>(string sql)
    {
        var found = new Dictionary<string, List<T>>();
        foreach (var shard in Shards)
        {
            await using var source = NpgsqlDataSource.Create(ConnectionTo(shard));
            await using var command = source.CreateCommand(sql);
            await using var reader = await command.ExecuteReaderAsync();
            found[shard] = [];
            while (await reader.ReadAsync())
            {
                found[shard].Add(await reader.GetFieldValueAsync<T>(0));
            }
        }

        return found;
    }

    /// <summary>Drops the database of a shard.</summary>
    public Task DropAsync(string shard) => fixture.Cluster.Primary.ExecuteAsync($"DROP DATABASE IF EXISTS {_name}_{shard} WITH (FORCE)");

    public async ValueTask DisposeAsync()
    {
        foreach (var shard in Shards)
        {
            await DropAsync(shard);
        }

        await fixture.Cluster.Primary.ExecuteAsync($"DROP ROLE IF EXISTS {_name}");
    }

    private static string As(string? role, string connectionString) =>
        role is null ? connectionString : new NpgsqlConnectionStringBuilder(connectionString) { Username = role }.ConnectionString;
}
