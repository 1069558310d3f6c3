using System.Collections.Immutable;
using EfScaling.Caching;
using EfScaling.Caching.Redis;
using EfScaling.Testing;
using EfScaling.Testing.History;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.History;

/// <summary>
/// The history with a query cache: a primary, a standby that lags, Redis, and two processes of the operating system. The first process stands for two, with and
/// without results in memory, which hand on tokens to each other; the second one reaches Redis and the primary through a network that breaks.
/// </summary>
public static class CacheScenario
{
    private static readonly TimeSpan _heartbeat = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _writeLease = TimeSpan.FromSeconds(1);

    // Reconnecting after the longest pause, what others do for a writer once a second after its lease, and a machine that is busy.
    private static readonly TimeSpan _publication = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan _distance = TimeSpan.FromMilliseconds(15);
    private static readonly TimeSpan _report = _heartbeat + TimeSpan.FromMilliseconds(500);

    /// <summary>Gets the usual least time between two writes of the first process, so that there are results to be found.</summary>
    public static TimeSpan WritePause { get; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Gets the usual least time between two writes of the second process: what it could not publish it does not cache, so it mostly reads.</summary>
    public static TimeSpan SecondWritePause { get; } = TimeSpan.FromSeconds(2);

    /// <summary>Gets the faults of a store that is one server.</summary>
    public static IReadOnlyList<StoreFault> SingleFaults { get; } =
        [StoreFault.Kill, StoreFault.Restart, StoreFault.Suspend, StoreFault.Flush, StoreFault.Evict, StoreFault.Full, StoreFault.Silence, StoreFault.Cut, StoreFault.CutPrimary];

    /// <summary>Gets the faults of a store with sentinels.</summary>
    public static IReadOnlyList<StoreFault> SentinelFaults { get; } = [StoreFault.FailOver, StoreFault.KillMaster, StoreFault.SuspendMaster, StoreFault.Flush, StoreFault.CutPrimary];

    /// <summary>Gets the faults of the database that leave the clients to themselves.</summary>
    public static IReadOnlyList<FaultKind> DatabaseFaults { get; } =
        [FaultKind.PauseReplay, FaultKind.DelayReplay, FaultKind.CutReplication, FaultKind.KillStandby, FaultKind.FreezeStandby, FaultKind.RestartPrimary, FaultKind.KillPrimary];

    /// <summary>Starts the servers and the second process, runs, and ends them.</summary>
    /// <param name="options">What the run does.</param>
    /// <param name="faults">What happens to the store; those of sentinels or those of one server.</param>
    /// <param name="secondWritePause">The least time between two writes of the second process; <see langword="null"/> for the usual one.</param>
    public static async Task<HistoryReport> RunAsync(HistoryRunOptions options, IReadOnlyList<StoreFault> faults, TimeSpan? secondWritePause = null)
    {
        ThreadPool.SetMinThreads(64, 64);
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions
        {
            Standbys = 1,
            Settings = new Dictionary<string, string> { ["autovacuum"] = "off", ["wal_sender_timeout"] = "5s" },
        });

        // The second process is far from the primary: between what it tells the store and what it tells the database lies time.
        await using var toPrimary = await TcpProxy.StartAsync(cluster.Primary.Host, cluster.Primary.Port);
        toPrimary.Delay = _distance;
        var firstElsewhere = (options.Clients / 2) + 1;
        options = options with
        {
            OwnClients = options.OwnClients ?? [.. Enumerable.Range(1, firstElsewhere - 1)],
            CacheLimits = new CacheLimits(_report, _publication),
        };
        if (faults.Any(f => f is StoreFault.FailOver or StoreFault.KillMaster or StoreFault.SuspendMaster))
        {
            // A master that has lost its replicas must take no more bumps: those who follow the new one would never learn of them.
            await using var sentinels = await RedisSentinelCluster.StartAsync(
                new RedisSentinelClusterOptions { Server = new RedisServerOptions { Arguments = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"] } });
            var configuration = $"{string.Join(',', sentinels.SentinelEndpoints)},serviceName={sentinels.ServiceName}";
            var breaker = new StoreBreaker(redis: null, sentinels, toStore: null, toPrimary, faults, options.Seed, _publication + _writeLease);
            return await RunAsync(cluster, configuration, configuration, toPrimary, breaker, firstElsewhere, secondWritePause ?? SecondWritePause, options);
        }

        await using var redis = await RedisServer.StartAsync();
        await using var toStore = await TcpProxy.StartAsync(redis.Host, redis.Port);
        return await RunAsync(
            cluster, redis.Endpoint, $"{toStore.Host}:{toStore.Port}", toPrimary,
            new StoreBreaker(redis, sentinels: null, toStore, toPrimary, faults, options.Seed, _publication + _writeLease), firstElsewhere, secondWritePause ?? SecondWritePause, options);
    }

    /// <summary>Makes an application of the history.</summary>
    internal static HistoryApplication Application(string primary, string standby, string redis, int cache, TimeSpan maxStaleness, long localMemory)
    {
        var options = new DbContextOptionsBuilder<HistoryContext>()
            .UseNpgsql(primary, n => n.CommandTimeout(5))
            .UseLoggerFactory(new PublicationLog())
            .UseReadReplicas(r => r.AddReplica(standby).MaxStaleness(maxStaleness).ProbeInterval(TimeSpan.FromMilliseconds(100)).ReadTimeout(TimeSpan.FromSeconds(1)).UnlimitedFallback())
            .UseQueryCache(c => KeepsDespiteWrites(cache, c.Redis(StoreOptions(redis)).WriteLease(_writeLease).LocalMemory(localMemory)))
            .Options;
        return new HistoryApplication(new PooledDbContextFactory<HistoryContext>(options).CreateDbContext) { MaxStaleness = maxStaleness, Cache = cache, CachesReads = true };
    }

    private static async Task<HistoryReport> RunAsync(
        PostgresCluster cluster, string redis, string redisElsewhere, TcpProxy toPrimary, StoreBreaker breaker, int firstElsewhere, TimeSpan secondWritePause, HistoryRunOptions options)
    {
        var (primary, standby) = (cluster.Primary.ConnectionString, cluster.Standbys[0].ConnectionString);
        HistoryApplication[] applications =
        [
            Application(primary, standby, redis, cache: 1, TimeSpan.FromSeconds(1), localMemory: 16 << 20),
            Application(primary, standby, redis, cache: 2, TimeSpan.FromMilliseconds(400), localMemory: 0),
        ];
        await using (var context = applications[0].CreateContext())
        {
            await context.Database.EnsureCreatedAsync();
        }

        var throughProxy = new Npgsql.NpgsqlConnectionStringBuilder(primary) { Host = toPrimary.Host, Port = toPrimary.Port }.ConnectionString;
        return await new HistoryRun(cluster, applications, options)
        {
            Companions =
            [
                (recorder, end) => Task.FromResult(breaker.RunAsync(recorder, end)),
                (recorder, end) => SecondProcess.StartAsync(
                    new CacheSettings(throughProxy, standby, redisElsewhere, recorder.Origin, options.Seed, options.Clients, firstElsewhere, secondWritePause), recorder, end),
            ],
        }.RunAsync();
    }

    // All but one keep whatever they may, so that what is wrong with a result is seen although its tables are written all the time.
    private static QueryCacheOptionsBuilder KeepsDespiteWrites(int cache, QueryCacheOptionsBuilder options) => cache == 1 ? options : options.KeepDespiteWrites();

    private static RedisOptions StoreOptions(string configuration) => RedisOptions.Parse(configuration) with
    {
        // The machine is busy: a pause is no outage.
        MaxWait = TimeSpan.FromMilliseconds(300),
        ConnectTimeout = TimeSpan.FromMilliseconds(500),
        Heartbeat = _heartbeat,
        OpenTime = TimeSpan.FromMilliseconds(200),
        MaxOpenTime = TimeSpan.FromMilliseconds(500),
    };
}
