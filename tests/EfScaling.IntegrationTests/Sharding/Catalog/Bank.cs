using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>A bank over three shards and a catalog, and as many processes as a test asks for, each with maps of its own.</summary>
public sealed class Bank : IAsyncLifetime
{
    public const int Accounts = 48;
    public const int Buckets = 16;

    private static readonly string[] _shards = ["north", "south", "west"];

    private readonly string _name = $"bank_{Guid.NewGuid():N}";
    private readonly Func<PostgresCluster> _cluster;
    private readonly Action<ShardingOptionsBuilder>? _sharding;
    private readonly List<ServiceProvider> _processes = [];
    private int _interval = 3_600;

    public Bank(ClusterFixture fixture) => _cluster = () => fixture.Cluster;

    private Bank(PostgresCluster cluster, Action<ShardingOptionsBuilder>? sharding) => (_cluster, _sharding) = (() => cluster, sharding);

    /// <summary>A process that hears of changes at once.</summary>
    public ShardedDbContextFactory<BankContext> Notified { get; private set; } = null!;

    /// <summary>The catalog database.</summary>
    public string Catalog => ConnectionTo("catalog");

    /// <summary>Creates a bank in a cluster.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="sharding">What the processes have beside their shards.</param>
    public static async Task<Bank> CreateAsync(PostgresCluster cluster, Action<ShardingOptionsBuilder>? sharding = null)
    {
        var bank = new Bank(cluster, sharding);
        await bank.InitializeAsync();
        return bank;
    }

    public async ValueTask InitializeAsync()
    {
        foreach (var database in _shards.Append("catalog"))
        {
            await _cluster().Primary.ExecuteAsync($"CREATE DATABASE {_name}_{database}");
        }

        Notified = Process(c => c.PollInterval(TimeSpan.FromSeconds(1)));
        foreach (var result in await Notified.ForEachShardAsync((c, token) => c.Database.EnsureCreatedAsync(token)))
        {
            Assert.Null(result.Failure);
        }

        await using (var context = Notified.CreateDbContext())
        {
            await context.Database.CreateShardCatalogAsync();
        }

        for (var id = 1; id <= Accounts; id++)
        {
            await using var context = Notified.CreateDbContext();
            context.Add(new Account { Id = id, Balance = 100, Entries = { new Entry { Amount = 60 }, new Entry { Amount = 40 } } });
            await context.SaveChangesAsync();
        }
    }

    /// <summary>Starts a process that hears of changes only from the shards that refuse it.</summary>
    /// <param name="contract">What its reads ask for.</param>
    public ShardedDbContextFactory<BankContext> Deaf(ReadContract contract = ReadContract.Primary) =>
        Process(c => c.WithoutNotifications().PollInterval(TimeSpan.FromSeconds(_interval++)), contract);

    /// <summary>Starts a process.</summary>
    public ShardedDbContextFactory<BankContext> Process(
        Action<ShardCatalogOptionsBuilder>? catalog = null,
        ReadContract contract = ReadContract.Primary,
        Action<QueryCacheOptionsBuilder>? cache = null,
        Action<ShardingOptionsBuilder>? sharding = null,
        string? catalogConnection = null,
        IEnumerable<string>? shards = null,
        Action<DbContextOptionsBuilder>? options = null,
        string? role = null)
    {
        var services = new ServiceCollection()
            .AddShardedDbContextFactory<BankContext>((_, o) => Also(o, options)
                .UseNpgsql()
                .UseSharding(s =>
                {
                    s.Buckets(Buckets).UseCatalog(catalogConnection ?? ConnectionTo("catalog", role: role), catalog);
                    foreach (var shard in shards ?? _shards)
                    {
                        s.AddShard(shard, ConnectionTo(shard, role: role), r => r.AddReplica(ConnectionTo(shard, _cluster().Standbys[0], role)).DefaultContract(contract).MaxStaleness(TimeSpan.FromMinutes(1)));
                    }

                    (sharding ?? _sharding)?.Invoke(s);
                })
                .UseQueryCache(cache))
            .BuildServiceProvider();
        _processes.Add(services);
        return services.GetRequiredService<ShardedDbContextFactory<BankContext>>();
    }

    private static DbContextOptionsBuilder Also(DbContextOptionsBuilder builder, Action<DbContextOptionsBuilder>? options)
    {
        options?.Invoke(builder);
        return builder;
    }

    /// <summary>The map of a process.</summary>
    public static ShardMap MapOf(ShardedDbContextFactory<BankContext> process)
    {
        using var context = process.CreateDbContext();
        return PictureOf(context).Maps[string.Empty];
    }

    /// <summary>The maps of a context.</summary>
    internal static ShardPicture PictureOf(BankContext context) => context.GetService<ReadRouter>().Shards!.Database.Picture;

    /// <summary>Moves the bucket of an account to a shard.</summary>
    public async Task<string> MoveAsync(int account, string? to = null)
    {
        var map = (HashShardMap)await PresentMapAsync();
        var from = map.ShardOf(ShardKey.Of(account));
        to ??= _shards[(Array.IndexOf(_shards, from) + 1) % _shards.Length];
        await ChangeAsync(map.With(map.BucketOf(ShardKey.Of(account))!.Value, to), MoveRowsAsync);
        return to;
    }

    /// <summary>Changes the map.</summary>
    public async Task ChangeAsync(ShardMap map, Func<ShardMapChange, CancellationToken, Task> whileFenced, CancellationToken cancellationToken = default)
    {
        await using var context = Notified.CreateDbContext();
        await context.Database.ChangeShardMapAsync(map, whileFenced, cancellationToken: cancellationToken);
    }

    /// <summary>The shard of an account as the catalog has it.</summary>
    public async Task<string> ShardOfAsync(int account) => (await PresentMapAsync()).ShardOf(ShardKey.Of(account));

    /// <summary>The map as the catalog has it.</summary>
    public async Task<ShardMap> PresentMapAsync()
    {
        await using var source = NpgsqlDataSource.Create(Catalog);
        return (await new CatalogReader(source).ReadAsync(-1, CancellationToken.None))!.Maps.Single(m => m.Name.Length == 0).Map!;
    }

    /// <summary>Moves the rows of a change; can be done again.</summary>
    public static async Task MoveRowsAsync(ShardMapChange change, CancellationToken cancellationToken)
    {
        foreach (var from in change.Shards)
        {
            await using var source = await change.OpenConnectionAsync(from, cancellationToken);
            var accounts = new List<(int Id, long Balance, string? Note, int Revision)>();
            var entries = new List<(int Account, Guid Id, long Amount)>();
            await using (var reader = await new NpgsqlCommand("SELECT id, balance, note, revision FROM accounts", source).ExecuteReaderAsync(cancellationToken))
            {
                while (await reader.ReadAsync(cancellationToken))
                {
                    accounts.Add((reader.GetInt32(0), reader.GetInt64(1), reader.IsDBNull(2) ? null : reader.GetString(2), reader.GetInt32(3)));
                }
            }

            await using (var reader = await new NpgsqlCommand("SELECT account_id, id, amount FROM entries", source).ExecuteReaderAsync(cancellationToken))
            {
                while (await reader.ReadAsync(cancellationToken))
                {
                    entries.Add((reader.GetInt32(0), reader.GetGuid(1), reader.GetInt64(2)));
                }
            }

            foreach (var moved in accounts.Where(a => change.Buckets.Contains(change.To.BucketOf(ShardKey.Of(a.Id)) ?? -1) || change.Buckets.Count == 0).GroupBy(a => change.To.ShardOf(ShardKey.Of(a.Id))).Where(g => g.Key != from))
            {
                await using var target = await change.OpenConnectionAsync(moved.Key, cancellationToken);
                await using var arriving = await target.BeginTransactionAsync(cancellationToken);
                foreach (var (id, balance, note, revision) in moved)
                {
                    await using var insert = new NpgsqlCommand("INSERT INTO accounts (id, balance, note, revision) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET balance = excluded.balance, note = excluded.note, revision = excluded.revision", target)
                    {
                        Parameters = { new() { Value = id }, new() { Value = balance }, new() { Value = note ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text }, new() { Value = revision } },
                    };
                    await insert.ExecuteNonQueryAsync(cancellationToken);
                }

                foreach (var (account, id, amount) in entries.Where(e => moved.Any(m => m.Id == e.Account)))
                {
                    await using var insert = new NpgsqlCommand("INSERT INTO entries (account_id, id, amount) VALUES ($1, $2, $3) ON CONFLICT (account_id, id) DO UPDATE SET amount = excluded.amount", target)
                    {
                        Parameters = { new() { Value = account }, new() { Value = id }, new() { Value = amount } },
                    };
                    await insert.ExecuteNonQueryAsync(cancellationToken);
                }

                await arriving.CommitAsync(cancellationToken);
                int[] ids = [.. moved.Select(m => m.Id)];
                await using var leaving = await source.BeginTransactionAsync(cancellationToken);
                foreach (var table in new[] { "entries WHERE account_id", "accounts WHERE id" })
                {
                    await using var delete = new NpgsqlCommand($"DELETE FROM {table} = ANY ($1)", source) { Parameters = { new() { Value = ids } } };
                    await delete.ExecuteNonQueryAsync(cancellationToken);
                }

                await leaving.CommitAsync(cancellationToken);
            }
        }
    }

    /// <summary>Creates a role that owns nothing and may read and write the rows of the bank.</summary>
    /// <param name="grants">What else it may in the catalog and on each shard, of the role 'app'.</param>
    public async Task<string> CreateRoleAsync((string Catalog, string Shard) grants)
    {
        var role = $"role_{Guid.NewGuid():N}";
        await _cluster().Primary.ExecuteAsync($"CREATE ROLE {role} LOGIN PASSWORD '{new NpgsqlConnectionStringBuilder(Catalog).Password}'");
        await ExecuteAsync("catalog", grants.Catalog.Replace(" TO app", $" TO {role}", StringComparison.Ordinal));
        foreach (var shard in _shards)
        {
            await ExecuteAsync(shard, $"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};" + grants.Shard.Replace(" TO app", $" TO {role}", StringComparison.Ordinal));
        }

        return role;
    }

    /// <summary>Runs SQL beside EF.</summary>
    public async Task ExecuteAsync(string database, string sql, string? role = null)
    {
        await using var source = NpgsqlDataSource.Create(ConnectionTo(database, role: role));
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public string ConnectionTo(string database, PostgresServer? server = null, string? role = null)
    {
        var connection = new NpgsqlConnectionStringBuilder((server ?? _cluster().Primary).ConnectionString) { Database = $"{_name}_{database}" };
        connection.Username = role ?? connection.Username;
        return connection.ConnectionString;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            await process.DisposeAsync();
        }
    }
}
