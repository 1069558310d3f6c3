using EfScaling.IntegrationTests.Sharding.Catalog;
using EfScaling.Routing.Shards;
using EfScaling.Routing.Transactions;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Transactions;

/// <summary>A bank over three servers that tests kill, with processes that tests kill as well: those log in by a role of their own.</summary>
public sealed class VaultClusters : IAsyncLifetime
{
    public const int Accounts = 24;
    public const long Balance = 1_000;

    private const string ClientRole = "vault_client";

    private readonly List<ServiceProvider> _processes = [];
    private readonly List<NpgsqlDataSource> _sources = [];
    private readonly Dictionary<string, PostgresCluster> _clusters = [];

    public static IReadOnlyList<string> Shards { get; } = ["alpha", "beta", "gamma"];

    /// <summary>A process of the owner, which tries again when servers were killed.</summary>
    public ShardedDbContextFactory<BankContext> Owner { get; private set; } = null!;

    /// <summary>The accounts of each shard.</summary>
    public IReadOnlyDictionary<string, int[]> ByShard { get; private set; } = null!;

    public PostgresServer ServerOf(string shard) => _clusters[shard].Primary;

    public async ValueTask InitializeAsync()
    {
        foreach (var (shard, cluster) in Shards.Zip(await Task.WhenAll(Shards.Select(_ => PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0 })))))
        {
            _clusters[shard] = cluster;
            await cluster.Primary.ExecuteAsync($"CREATE ROLE {ClientRole} LOGIN PASSWORD 'client'");
        }

        Owner = Process(retries: true);
        await using (var context = Owner.CreateDbContext())
        {
            await context.Database.EnsureCreatedAsync();
        }

        foreach (var shard in Shards)
        {
            await ServerOf(shard).ExecuteAsync(
                $"""
                GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ClientRole};
                GRANT USAGE ON SCHEMA efscaling TO {ClientRole};
                GRANT SELECT, INSERT, DELETE ON efscaling.decision TO {ClientRole}
                """);
        }

        await using (var context = Owner.CreateDbContext())
        {
            context.AddRange(Enumerable.Range(1, Accounts).Select(id => new Catalog.Account { Id = id, Balance = Balance }));
            Assert.Equal(Accounts, await context.SaveChangesAsync());
        }

        ByShard = Enumerable.Range(1, Accounts).GroupBy(id => Owner.ShardOf(ShardKey.Of(id))).ToDictionary(g => g.Key, g => g.ToArray());
        Assert.Equal(Shards.Count, ByShard.Count);
    }

    /// <summary>Starts a process of the owner.</summary>
    /// <param name="sharding">What it has beside its shards.</param>
    /// <param name="retries">Whether it tries again what has failed.</param>
    /// <param name="steps">Where its commits are told of.</param>
    public ShardedDbContextFactory<BankContext> Process(Action<ShardingOptionsBuilder>? sharding = null, bool retries = false, StepLog? steps = null) => Start((builder, shard) => builder.AddShard(shard, ServerOf(shard).ConnectionString), sharding, retries, steps);

    /// <summary>Starts a process of the owner that has data sources of its own.</summary>
    public ShardedDbContextFactory<BankContext> Process(Func<string, NpgsqlDataSource> sourceOf, StepLog? steps = null) =>
        Start((builder, shard) => builder.AddShard(shard, sourceOf(shard)), null, false, steps);

    /// <summary>Makes the data source of a shard, with other settings than usual.</summary>
    public NpgsqlDataSource SourceOf(string shard, string settings)
    {
        var source = NpgsqlDataSource.Create($"{ServerOf(shard).ConnectionString};{settings}");
        _sources.Add(source);
        return source;
    }

    /// <summary>Starts a process that can be killed, with connections of its own.</summary>
    public ShardedDbContextFactory<BankContext> Client(StepLog steps)
    {
        var sources = Shards.ToDictionary(
            s => s,
            s => NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(ServerOf(s).ConnectionString) { Username = ClientRole, Password = "client" }.ConnectionString));
        _sources.AddRange(sources.Values);
        return Start((builder, shard) => builder.AddShard(shard, sources[shard]), null, false, steps);
    }

    /// <summary>Ends everything that clients do on the servers, at once, and keeps them from coming back: their processes are gone.</summary>
    public void KillClients()
    {
        foreach (var shard in Shards)
        {
            using var connection = new NpgsqlConnection(ServerOf(shard).ConnectionString);
            connection.Open();
            using var command = new NpgsqlCommand($"ALTER ROLE {ClientRole} NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ClientRole}'", connection);
            command.ExecuteNonQuery();
        }
    }

    /// <summary>Lets clients log in again.</summary>
    public async Task ReviveClientsAsync()
    {
        foreach (var shard in Shards)
        {
            await ServerOf(shard).ExecuteAsync($"ALTER ROLE {ClientRole} LOGIN");
        }
    }

    /// <summary>Moves an amount in a SaveChanges from the first account to the others, with an entry for each, all of one id.</summary>
    /// <returns>The id of the entries.</returns>
    public static async Task<Guid> TransferAsync(BankContext context, Guid id, int[] accounts, long amount = 1, bool async = true)
    {
        var rows = new List<Catalog.Account>();
        foreach (var account in accounts)
        {
            rows.Add(await context.Accounts.SingleAsync(a => a.Id == account));
        }

        for (var i = 0; i < rows.Count; i++)
        {
            var change = i == 0 ? -amount * (rows.Count - 1) : amount;
            rows[i].Balance += change;
            rows[i].Revision++;
            context.Add(new Catalog.Entry { AccountId = rows[i].Id, Id = id, Amount = change });
        }

        _ = async ? await context.SaveChangesAsync() : context.SaveChanges();
        return id;
    }

    /// <summary>An account of each of the first shards, or of as many as are named.</summary>
    public int[] Pick(Random random, int shards) =>
        [.. Shards.OrderBy(_ => random.Next()).Take(shards).Select(s => ByShard[s][random.Next(ByShard[s].Length)])];

    /// <summary>How many of the accounts' entries of a transfer are there.</summary>
    public async Task<int> CountEntriesAsync(Guid id)
    {
        var counts = await Owner.ForEachShardAsync((c, token) => c.Entries.CountAsync(e => e.Id == id, token));
        Assert.All(counts, c => Assert.Null(c.Failure));
        return counts.Sum(c => c.Value);
    }

    /// <summary>The sum of all balances at one moment: of each shard, in their order, all rows are locked, which waits for commits that are under way.</summary>
    public async Task<long> TotalAsync()
    {
        var open = new List<(NpgsqlConnection Connection, NpgsqlTransaction Transaction)>();
        try
        {
            var total = 0L;
            foreach (var shard in Shards)
            {
                var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(ServerOf(shard).ConnectionString) { Pooling = false }.ConnectionString);
                await connection.OpenAsync();
                open.Add((connection, await connection.BeginTransactionAsync()));
                await using var command = new NpgsqlCommand("SELECT sum(balance)::bigint FROM (SELECT balance FROM accounts ORDER BY id FOR SHARE) AS held", connection);
                total += (long)(await command.ExecuteScalarAsync())!;
            }

            return total;
        }
        finally
        {
            foreach (var (connection, transaction) in open)
            {
                await transaction.DisposeAsync();
                await connection.DisposeAsync();
            }
        }
    }

    /// <summary>Settles everything that is prepared, and asserts that nothing is left.</summary>
    public async Task RecoverAsync(ShardedDbContextFactory<BankContext>? process = null)
    {
        await using var context = (process ?? Owner).CreateDbContext();
        await Eventually.ThatAsync(async () => (await context.Database.RecoverShardTransactionsAsync(TimeSpan.Zero)).IsClean, TimeSpan.FromSeconds(30), "all shards to have nothing prepared");
    }

    /// <summary>Asserts that no money was made or lost, and that each transfer is there as a whole or not at all.</summary>
    public async Task AssertSoundAsync()
    {
        Assert.Equal(Accounts * Balance, await TotalAsync());
        var entries = await Owner.ForEachShardAsync((c, token) => c.Entries.AsNoTracking().ToListAsync(token));
        Assert.All(entries, e => Assert.Null(e.Failure));
        Assert.All(entries.SelectMany(e => e.Value!).GroupBy(e => e.Id), g => Assert.Equal(0, g.Sum(e => e.Amount)));
        var balances = await Owner.ForEachShardAsync((c, token) => c.Accounts.AsNoTracking().Include(a => a.Entries).ToListAsync(token));
        Assert.All(balances.SelectMany(b => b.Value!), a => Assert.Equal(Balance + a.Entries.Sum(e => e.Amount), a.Balance));
        foreach (var shard in Shards)
        {
            Assert.Equal(0, await ServerOf(shard).ScalarAsync<long>("SELECT count(*) FROM pg_prepared_xacts"));
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            await process.DisposeAsync();
        }

        foreach (var source in _sources)
        {
            await source.DisposeAsync();
        }

        foreach (var cluster in _clusters.Values)
        {
            await cluster.DisposeAsync();
        }
    }

    private ShardedDbContextFactory<BankContext> Start(Action<ShardingOptionsBuilder, string> add, Action<ShardingOptionsBuilder>? sharding, bool retries, StepLog? steps)
    {
        var collection = new ServiceCollection().AddShardedDbContextFactory<BankContext>((_, o) => o
            .UseNpgsql(n =>
            {
                if (retries)
                {
                    n.EnableRetryOnFailure(10, TimeSpan.FromMilliseconds(500), null);
                }
            })
            .UseSharding(s =>
            {
                foreach (var shard in Shards)
                {
                    add(s, shard);
                }

                sharding?.Invoke(s);
            }));
        if (steps is not null)
        {
            collection.AddLogging(b => b.SetMinimumLevel(LogLevel.Debug).AddProvider(steps));
        }

        var services = collection.BuildServiceProvider();
        _processes.Add(services);
        return services.GetRequiredService<ShardedDbContextFactory<BankContext>>();
    }
}
