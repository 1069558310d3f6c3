using System.Globalization;
using EfScaling.Testing;
using Npgsql;

namespace EfScaling.IntegrationTests.Replication.ChangeStream;

/// <summary>A primary whose changes can be decoded, with a database and a slot for each test.</summary>
public sealed class LogicalCluster : IAsyncLifetime
{
    private PostgresCluster? _cluster;
    private int _databases;

    public PostgresServer Server => _cluster!.Primary;

    public async ValueTask InitializeAsync() =>
        _cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions
        {
            Standbys = 0,

            // Only slots keep log, so that a test can make one lose it.
            Settings = new Dictionary<string, string> { ["wal_level"] = "logical", ["wal_keep_size"] = "0", ["wal_sender_timeout"] = "5s" },
        });

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
    }

    /// <summary>Makes a database of its own for a test and runs SQL in it.</summary>
    public async Task<LogicalDatabase> CreateDatabaseAsync(string sql)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"changes{Interlocked.Increment(ref _databases)}");
        await Server.ExecuteAsync($"CREATE DATABASE {name}");
        var database = new LogicalDatabase(name, new NpgsqlConnectionStringBuilder(Server.GetConnectionString(name)) { Pooling = false }.ConnectionString);
        await database.ExecuteAsync(sql);
        return database;
    }
}
