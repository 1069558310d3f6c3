using System.Globalization;
using EfScaling.Testing.Processes;
using EfScaling.Testing.Redis;

namespace EfScaling.Testing;

/// <summary>A real Redis master with replicas and three sentinels, two of which decide, in a temporary folder and on free ports of 127.0.0.1.</summary>
/// <remarks>
/// Thread-safe. Members fail by the calls of <see cref="RedisServer"/>: kill, suspend or stop them, and start them again. A member keeps what sentinels have
/// written into its configuration, so a replica that became the master starts again as the master; a killed master starts again as a master, too, and the
/// sentinels turn it into a replica after about two seconds. What it took in between is lost, and its connections are closed, as in production.
/// Disposing the cluster ends its members and removes the folder; when this process dies without disposing, a watchdog does so, and the next start of any
/// test server looks again.
/// </remarks>
public sealed class RedisSentinelCluster : IAsyncDisposable
{
    private const int SentinelCount = 3;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(1);

    private readonly ServerFolder _folder;
    private readonly RedisSentinelClusterOptions _options;
    private readonly List<RedisServer> _servers = [];
    private readonly List<RedisServer> _sentinels = [];

    private RedisSentinelCluster(ServerFolder folder, RedisSentinelClusterOptions options)
    {
        _folder = folder;
        _options = options;
    }

    /// <summary>The servers of data; the one that started as master first. A failover does not change the order.</summary>
    public IReadOnlyList<RedisServer> Servers => _servers;

    /// <summary>The three sentinels.</summary>
    public IReadOnlyList<RedisServer> Sentinels => _sentinels;

    /// <summary><c>host:port</c> of each sentinel, as Redis clients take them.</summary>
    public IReadOnlyList<string> SentinelEndpoints => [.. _sentinels.Select(sentinel => sentinel.Endpoint)];

    /// <summary>Name under which clients ask the sentinels for the master.</summary>
    public string ServiceName => _options.ServiceName;

    /// <summary>Starts a new cluster and completes when the replicas have the master's data and every sentinel knows all members.</summary>
    /// <param name="options">What to start; <see langword="null"/> means one replica, no password and no TLS.</param>
    /// <param name="cancellationToken">Gives up and removes what was started.</param>
    /// <returns>The running cluster. The caller disposes it.</returns>
    /// <remarks>Takes about two seconds.</remarks>
    /// <exception cref="ServerBinaryNotFoundException">Redis is not installed; the message tells what to install.</exception>
    /// <exception cref="ServerStartException">A server ended, for example because of a wrong argument; the exception holds its log.</exception>
    /// <exception cref="TimeoutException">The members did not answer, or find each other, within 30 seconds.</exception>
    /// <exception cref="PlatformNotSupportedException">The system is neither Linux nor macOS.</exception>
    public static async Task<RedisSentinelCluster> StartAsync(RedisSentinelClusterOptions? options = null, CancellationToken cancellationToken = default)
    {
        ServerBinaries.RedisServer();
        var folder = await ServerFolder.CreateAsync(cancellationToken).ConfigureAwait(false);
        var cluster = new RedisSentinelCluster(folder, options ?? new RedisSentinelClusterOptions());
        try
        {
            await cluster.StartMembersAsync(cancellationToken).ConfigureAwait(false);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Asks the sentinels which server is the master, until at least two name the same one.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The server that they name. It may be dead already while they have not noticed.</returns>
    /// <exception cref="TimeoutException">No two sentinels agreed within 30 seconds, for example because two do not run.</exception>
    public async Task<RedisServer> GetMasterAsync(CancellationToken cancellationToken = default)
    {
        RedisServer? master = null;
        await Eventually.ThatAsync(
            async () =>
            {
                var named = await AskSentinelsAsync(cancellationToken).ConfigureAwait(false);
                master = named.GroupBy(server => server).FirstOrDefault(votes => votes.Count() >= SentinelConfiguration.Quorum)?.Key;
                return master is not null;
            },
            Patience, "two sentinels to name the same master", cancellationToken).ConfigureAwait(false);
        return master!;
    }

    /// <summary>Lets the sentinels make another server the master, without waiting for a failure, and completes when it is the master.</summary>
    /// <param name="cancellationToken">Ends the wait, not the failover.</param>
    /// <returns>The new master.</returns>
    /// <remarks>
    /// As <see cref="WaitForNewMasterAsync"/> describes. The former master keeps running and becomes a replica of the new one after about two seconds; until
    /// then it takes writes that will be lost.
    /// </remarks>
    /// <exception cref="InvalidOperationException">The sentinels refuse, for example because no replica runs; the message says why.</exception>
    /// <exception cref="TimeoutException">There was no new master within 30 seconds.</exception>
    public async Task<RedisServer> FailOverAsync(CancellationToken cancellationToken = default)
    {
        var former = await GetMasterAsync(cancellationToken).ConfigureAwait(false);
        var sentinel = _sentinels.Find(member => member.IsRunning)
            ?? throw new InvalidOperationException("No sentinel runs that could fail over: call StartAsync of one.");
        await sentinel.ExecuteAsync(["SENTINEL", "FAILOVER", ServiceName], cancellationToken).ConfigureAwait(false);
        return await WaitForNewMasterAsync(former, timeout: null, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Completes when another server than the given one is the master: it says so itself, and so do all sentinels that answer, at least two.</summary>
    /// <param name="former">The master that is replaced, for example because the test killed or suspended it.</param>
    /// <param name="timeout">How long to wait; <see langword="null"/> means 30 seconds.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The new master.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative.</exception>
    /// <exception cref="TimeoutException">There was no new master in time.</exception>
    public async Task<RedisServer> WaitForNewMasterAsync(RedisServer former, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(former);

        RedisServer? master = null;
        await Eventually.ThatAsync(
            async () =>
            {
                var named = await AskSentinelsAsync(cancellationToken).ConfigureAwait(false);
                master = named.Count >= SentinelConfiguration.Quorum && named.Distinct().Count() == 1 ? named[0] : null;
                return master is not null
                    && master != former
                    && await HasRoleAsync(master, "master", cancellationToken).ConfigureAwait(false);
            },
            timeout ?? Patience, $"the sentinels to replace the master '{former.Endpoint}'", cancellationToken).ConfigureAwait(false);
        return master!;
    }

    /// <summary>Ends all members at once and removes their folder. Does nothing the second time.</summary>
    public async ValueTask DisposeAsync()
    {
        // Sentinels first: they would begin a failover of what ends.
        foreach (var member in _sentinels.Concat(_servers))
        {
            await member.DisposeAsync().ConfigureAwait(false);
        }

        await _folder.DisposeAsync().ConfigureAwait(false);
    }

    private async Task StartMembersAsync(CancellationToken cancellationToken)
    {
        var authority = _options.Server.Tls ? new CertificateAuthority() : null;
        var master = NewServer("redis1", _options.Server, authority);
        await master.StartAsync(cancellationToken).ConfigureAwait(false);
        for (var i = 0; i < _options.Replicas; i++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"redis{i + 2}");
            await NewServer(name, _options.Server with { ReplicaOf = master }, authority).StartAsync(cancellationToken).ConfigureAwait(false);
        }

        // A sentinel learns of replicas when it first asks the master, and again only much later.
        await Eventually.ThatAsync(() => ReplicasFollowAsync(cancellationToken), Patience, "the replicas to follow the master", cancellationToken).ConfigureAwait(false);

        for (var i = 0; i < SentinelCount; i++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"sentinel{i + 1}");
            var sentinel = new RedisServer(_folder, SentinelConfiguration.For(name, _options, master), ownsFolder: false);
            _sentinels.Add(sentinel);
            await sentinel.StartAsync(cancellationToken).ConfigureAwait(false);
            await sentinel.TryExecuteAsync(SentinelConfiguration.Hurry, AnswerPatience, cancellationToken).ConfigureAwait(false);
        }

        await Eventually.ThatAsync(() => SentinelsKnowAllAsync(cancellationToken), Patience, "the sentinels to find each other", cancellationToken).ConfigureAwait(false);
    }

    private RedisServer NewServer(string name, RedisServerOptions options, CertificateAuthority? authority)
    {
        var server = new RedisServer(_folder, new RedisConfiguration(name, options, authority), ownsFolder: false);
        _servers.Add(server);
        return server;
    }

    private async Task<bool> ReplicasFollowAsync(CancellationToken cancellationToken)
    {
        foreach (var replica in _servers[1..])
        {
            var role = await replica.TryExecuteAsync(["ROLE"], AnswerPatience, cancellationToken).ConfigureAwait(false);
            if (role?.Split('\n').Contains("connected") != true)
            {
                return false;
            }
        }

        return true;
    }

    // The reply of SENTINEL MASTER is names and values in turn.
    private async Task<bool> SentinelsKnowAllAsync(CancellationToken cancellationToken)
    {
        foreach (var sentinel in _sentinels)
        {
            var reply = await sentinel.TryExecuteAsync(["SENTINEL", "MASTER", ServiceName], AnswerPatience, cancellationToken).ConfigureAwait(false);
            var facts = (reply ?? "").Split('\n').Chunk(2).Where(pair => pair.Length == 2).ToDictionary(pair => pair[0], pair => pair[1]);
            if (facts.GetValueOrDefault("flags") != "master"
                || facts.GetValueOrDefault("num-slaves") != _options.Replicas.ToString(CultureInfo.InvariantCulture)
                || facts.GetValueOrDefault("num-other-sentinels") != (SentinelCount - 1).ToString(CultureInfo.InvariantCulture))
            {
                return false;
            }

            // Without it, a failover that is asked for at once would find no good replica.
            var replicas = await sentinel.TryExecuteAsync(["SENTINEL", "REPLICAS", ServiceName], AnswerPatience, cancellationToken).ConfigureAwait(false);
            if ((replicas ?? "").Split("master-link-status\nok\n").Length - 1 != _options.Replicas)
            {
                return false;
            }
        }

        return true;
    }

    private async Task<IReadOnlyList<RedisServer>> AskSentinelsAsync(CancellationToken cancellationToken)
    {
        var answers = await Task.WhenAll(_sentinels.Select(
            sentinel => sentinel.TryExecuteAsync(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", ServiceName], AnswerPatience, cancellationToken))).ConfigureAwait(false);
        return [.. answers.Select(ServerAt).OfType<RedisServer>()];
    }

    private RedisServer? ServerAt(string? address) =>
        address?.Split('\n') is [_, var port] ? _servers.Find(server => server.Port.ToString(CultureInfo.InvariantCulture) == port) : null;

    private static async Task<bool> HasRoleAsync(RedisServer server, string role, CancellationToken cancellationToken) =>
        (await server.TryExecuteAsync(["ROLE"], AnswerPatience, cancellationToken).ConfigureAwait(false))?.Split('\n')[0] == role;
}
