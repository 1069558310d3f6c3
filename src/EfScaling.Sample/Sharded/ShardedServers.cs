using System.Globalization;
using EfScaling.Caching.Redis;
using EfScaling.Sample.Servers;
using EfScaling.Testing;
using Npgsql;

namespace EfScaling.Sample.Sharded;

/// <summary>Four databases for the shards, each with a replica, and a cluster for the accounts.</summary>
/// <remarks>In production each shard has servers of its own; here they share those of the sample, which carry all databases.</remarks>
internal sealed class ShardedServers : IAsyncDisposable
{
    public const int Count = 4;

    private const string Prefix = "efscaling_sample_";
    private const string AccountsName = "accounts";

    private readonly SampleServers _servers;
    private readonly PostgresCluster? _accounts;

    private ShardedServers(SampleServers servers, PostgresCluster? accounts) => (_servers, _accounts) = (servers, accounts);

    /// <summary>Gets the shards: name, connection string of the primary, and that of the replica.</summary>
    public IReadOnlyList<(string Name, string Primary, string Replica)> Shards =>
    [
        .. Enumerable.Range(0, Count).Select(i => string.Create(CultureInfo.InvariantCulture, $"s{i}"))
            .Select((name, i) => (name, In(_servers.Primary, name), In(_servers.Replicas[i % _servers.Replicas.Count], name))),
    ];

    /// <summary>Gets the database of the accounts.</summary>
    public (string Primary, string Replica) Accounts => _accounts is null
        ? (In(_servers.Primary, AccountsName), In(_servers.Replicas[0], AccountsName))
        : (In(_accounts.Primary.ConnectionString, AccountsName), In(_accounts.Standbys[0].ConnectionString, AccountsName));

    /// <summary>Gets how the Redis is reached.</summary>
    public RedisOptions Redis => _servers.Redis;

    /// <summary>Starts the cluster of the accounts unless the environment names the servers, and creates all databases anew.</summary>
    /// <exception cref="SampleException">The cluster does not start.</exception>
    public static async Task<ShardedServers> StartAsync(SampleServers servers, CancellationToken cancellationToken)
    {
        var accounts = servers.IsEmbedded ? await StartClusterAsync(cancellationToken) : null;
        var sharded = new ShardedServers(servers, accounts);
        try
        {
            foreach (var (name, _, _) in sharded.Shards)
            {
                await CreateAsync(servers.Primary, name, cancellationToken);
            }

            await CreateAsync(accounts?.Primary.ConnectionString ?? servers.Primary, AccountsName, cancellationToken);
            return sharded;
        }
        catch
        {
            await sharded.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc />
    public ValueTask DisposeAsync() => _accounts?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static async Task<PostgresCluster> StartClusterAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 }, cancellationToken);
        }
        catch (Exception exception) when (exception is ServerBinaryNotFoundException or ServerStartException or PlatformNotSupportedException)
        {
            throw new SampleException($"The embedded servers of the accounts did not start: {exception.Message}", exception);
        }
    }

    private static async Task CreateAsync(string server, string name, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(server) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        foreach (var sql in new[] { $"DROP DATABASE IF EXISTS {Prefix}{name} WITH (FORCE)", $"CREATE DATABASE {Prefix}{name}" })
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private static string In(string server, string name) => new NpgsqlConnectionStringBuilder(server) { Database = Prefix + name }.ConnectionString;
}
