using System.Globalization;
using EfScaling.Caching.Redis;
using EfScaling.Testing;
using Npgsql;

namespace EfScaling.Sample.Servers;

/// <summary>One primary, its replicas and a Redis: those that the environment names, or servers that live as long as this object.</summary>
internal sealed class SampleServers : IAsyncDisposable
{
    public const string PrimaryVariable = "EFSCALING_PRIMARY";
    public const string ReplicaVariable = "EFSCALING_REPLICA_";
    public const string RedisVariable = "EFSCALING_REDIS";

    private static readonly TimeSpan DefaultLag = TimeSpan.FromMilliseconds(100);

    private readonly PostgresCluster? _cluster;
    private RedisServer? _redis;

    private SampleServers(PostgresCluster? cluster, string primary, IReadOnlyList<string> replicas)
    {
        _cluster = cluster;
        Primary = primary;
        Replicas = replicas;
    }

    /// <summary>Gets the connection string of the primary.</summary>
    public string Primary { get; }

    /// <summary>Gets the connection strings of the replicas.</summary>
    public IReadOnlyList<string> Replicas { get; }

    /// <summary>Gets how the Redis is reached.</summary>
    public RedisOptions Redis { get; private set; } = null!;

    /// <summary>Gets whether this program started the database servers itself.</summary>
    public bool IsEmbedded => _cluster is not null;

    /// <summary>Takes the servers of the environment, else starts a primary with two standbys, and a Redis.</summary>
    /// <exception cref="SampleException">The environment names only half of what is needed, or the servers do not start, do not answer or have other roles.</exception>
    public static async Task<SampleServers> StartAsync(Func<string, string?> variable, CancellationToken cancellationToken)
    {
        var redis = variable(RedisVariable) is { } named && !string.IsNullOrWhiteSpace(named) ? CheckedRedis(named) : null;
        var servers = await FindDatabaseAsync(variable, cancellationToken);
        try
        {
            servers.Redis = redis ?? await servers.StartRedisAsync(cancellationToken);
            return servers;
        }
        catch
        {
            await servers.DisposeAsync();
            throw;
        }
    }

    /// <summary>Returns the name that routing decisions give to the server of a connection string.</summary>
    public static string NameOf(string connectionString)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        var host = settings.Host!.ToLowerInvariant();
        return host.Contains(':', StringComparison.Ordinal) ? host : string.Create(CultureInfo.InvariantCulture, $"{host}:{settings.Port}");
    }

    /// <summary>Completes when every replica has replayed what the primary had written when the call began.</summary>
    /// <exception cref="TimeoutException">A replica has not replayed it within a minute.</exception>
    public async Task WaitForReplicasAsync(CancellationToken cancellationToken)
    {
        var position = await AskAsync<NpgsqlTypes.NpgsqlLogSequenceNumber>(Primary, "SELECT pg_current_wal_lsn()", cancellationToken);
        foreach (var replica in Replicas)
        {
            await Eventually.ThatAsync(
                async () => await AskAsync<NpgsqlTypes.NpgsqlLogSequenceNumber>(
                    replica, "SELECT coalesce(pg_last_wal_replay_lsn(), '0/0')", cancellationToken) >= position,
                TimeSpan.FromMinutes(1), $"'{NameOf(replica)}' to replay what the primary '{NameOf(Primary)}' has written; is it a standby of that primary?", cancellationToken);
        }
    }

    /// <summary>Lets the last standby show each commit later, as a distant or busy one does.</summary>
    /// <param name="lag">How much later; <see langword="null"/> for the default.</param>
    /// <returns>The lag; <see langword="null"/> for servers of the environment, which have their own.</returns>
    /// <exception cref="SampleException">A lag was asked of servers of the environment.</exception>
    public async Task<TimeSpan?> LagAsync(TimeSpan? lag, CancellationToken cancellationToken)
    {
        if (_cluster is null)
        {
            return lag is null ? null : throw new SampleException($"--lag works only on servers that this program starts. Leave it out, or unset {PrimaryVariable}.");
        }

        await _cluster.Standbys[^1].SetApplyDelayAsync(lag ?? DefaultLag, cancellationToken);
        return lag ?? DefaultLag;
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }

        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
    }

    private static async Task<SampleServers> FindDatabaseAsync(Func<string, string?> variable, CancellationToken cancellationToken)
    {
        var primary = variable(PrimaryVariable);
        var replicas = Enumerable.Range(1, PostgresClusterOptions.MaxStandbys)
            .Select(i => variable(ReplicaVariable + i.ToString(CultureInfo.InvariantCulture)))
            .TakeWhile(r => !string.IsNullOrWhiteSpace(r))
            .Select((r, i) => Checked(ReplicaVariable + (i + 1).ToString(CultureInfo.InvariantCulture), r!))
            .ToArray();
        switch (string.IsNullOrWhiteSpace(primary), replicas.Length)
        {
            case (false, > 0):
                return await TakeAsync(Checked(PrimaryVariable, primary!), replicas, cancellationToken);
            case (false, 0):
                throw new SampleException($"{PrimaryVariable} is set, but no replica. Set {ReplicaVariable}1 (and {ReplicaVariable}2, ...), or unset {PrimaryVariable}.");
            case (true, > 0):
                throw new SampleException($"{ReplicaVariable}1 is set, but no primary. Set {PrimaryVariable}, or unset {ReplicaVariable}1.");
            default:
                return await StartClusterAsync(cancellationToken);
        }
    }

    private static async Task<SampleServers> TakeAsync(string primary, string[] replicas, CancellationToken cancellationToken)
    {
        await RequireAsync(PrimaryVariable, primary, isStandby: false, cancellationToken);
        for (var i = 0; i < replicas.Length; i++)
        {
            await RequireAsync(ReplicaVariable + (i + 1).ToString(CultureInfo.InvariantCulture), replicas[i], isStandby: true, cancellationToken);
        }

        return new SampleServers(null, primary, replicas);
    }

    private static async Task RequireAsync(string variable, string connectionString, bool isStandby, CancellationToken cancellationToken)
    {
        bool answer;
        try
        {
            answer = await AskAsync<bool>(connectionString, "SELECT pg_is_in_recovery()", cancellationToken);
        }
        catch (NpgsqlException exception)
        {
            throw new SampleException($"{variable}: the server '{NameOf(connectionString)}' did not answer: {exception.GetBaseException().Message}", exception);
        }

        if (answer != isStandby)
        {
            throw new SampleException($"{variable} names '{NameOf(connectionString)}', which is a {(answer ? "standby" : "primary")}. Name a {(isStandby ? "standby" : "primary")}.");
        }
    }

    private static async Task<SampleServers> StartClusterAsync(CancellationToken cancellationToken)
    {
        try
        {
            var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 2 }, cancellationToken);
            return new SampleServers(cluster, cluster.Primary.ConnectionString, [.. cluster.Standbys.Select(s => s.ConnectionString)]);
        }
        catch (Exception exception) when (exception is ServerBinaryNotFoundException or ServerStartException or PlatformNotSupportedException)
        {
            throw new SampleException(
                $"The embedded servers did not start: {exception.Message} Or name servers of your own by {PrimaryVariable} and {ReplicaVariable}1.", exception);
        }
    }

    private async Task<RedisOptions> StartRedisAsync(CancellationToken cancellationToken)
    {
        try
        {
            _redis = await RedisServer.StartAsync(cancellationToken: cancellationToken);
            return RedisOptions.Parse(_redis.Endpoint);
        }
        catch (Exception exception) when (exception is ServerBinaryNotFoundException or ServerStartException or PlatformNotSupportedException)
        {
            throw new SampleException($"The embedded Redis did not start: {exception.Message} Or name one of your own by {RedisVariable}.", exception);
        }
    }

    private static RedisOptions CheckedRedis(string configuration)
    {
        try
        {
            return RedisOptions.Parse(configuration);
        }
        catch (ArgumentException exception)
        {
            throw new SampleException($"{RedisVariable} names no Redis: {exception.Message} Set it to a configuration such as 'cache1:6379,password=...'.", exception);
        }
    }

    private static string Checked(string variable, string connectionString)
    {
        try
        {
            var host = new NpgsqlConnectionStringBuilder(connectionString).Host;
            return string.IsNullOrWhiteSpace(host) || host.Contains(',', StringComparison.Ordinal)
                ? throw new SampleException($"{variable} does not name one 'Host'. Set it to an Npgsql connection string such as 'Host=db1;Database=app;Username=app'.")
                : connectionString;
        }
        catch (ArgumentException exception)
        {
            // The message of the cause may quote what the string contains, a password too.
            throw new SampleException($"{variable} is no Npgsql connection string. Set it to one such as 'Host=db1;Database=app;Username=app'.", exception);
        }
    }

    private static async Task<T> AskAsync<T>(string connectionString, string sql, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
