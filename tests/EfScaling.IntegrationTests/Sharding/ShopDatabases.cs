using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>One shop in one database, and the same shop spread over four.</summary>
public sealed class ShopDatabases(ClusterFixture fixture) : IAsyncLifetime
{
    public const int Customers = 40;

    private static readonly string[] _shards = ["north", "east", "south", "west"];

    private readonly string _name = $"shop_{Guid.NewGuid():N}";
    private ServiceProvider? _services;

    /// <summary>Contexts over the shards.</summary>
    public ShardedDbContextFactory<ShopContext> Sharded => _services!.GetRequiredService<ShardedDbContextFactory<ShopContext>>();

    /// <summary>A context over the single database.</summary>
    public ShopContext Whole() => new(new DbContextOptionsBuilder<ShopContext>().UseNpgsql(ConnectionTo("all")).Options);

    /// <summary>Two customers that do not live together.</summary>
    public (int One, int Other) TwoKeysOfDifferentShards() => (1, Enumerable.Range(2, Customers).First(id => Sharded.ShardOf(ShardKey.Of(id)) != Sharded.ShardOf(ShardKey.Of(1))));

    /// <summary>A customer of each shard, in the order of the names of the shards.</summary>
    public int[] CustomerOfEachShard() => [.. _shards.Order(StringComparer.Ordinal).Select(s => Enumerable.Range(1, Customers).First(id => Sharded.ShardOf(ShardKey.Of(id)) == s))];

    /// <summary>The prepared transactions of all shards.</summary>
    public Task<long> CountPreparedAsync() => fixture.Cluster.Primary.ScalarAsync<long>($"SELECT count(*) FROM pg_prepared_xacts WHERE database LIKE '{_name}%'");

    public async ValueTask InitializeAsync()
    {
        foreach (var database in _shards.Append("all"))
        {
            await fixture.Cluster.Primary.ExecuteAsync($"CREATE DATABASE {_name}_{database}");
        }

        _services = new ServiceCollection()
            .AddShardedDbContextFactory<ShopContext>((_, o) => Configure(o, ReadContract.Primary))
            .BuildServiceProvider();
        foreach (var result in await Sharded.ForEachShardAsync((c, token) => c.Database.EnsureCreatedAsync(token)))
        {
            Assert.Null(result.Failure);
            Assert.True(result.Value, $"{result.Shard} had tables");
        }

        await using (var context = Sharded.CreateDbContext())
        {
            await context.Database.EnsureShardTransactionsCreatedAsync();
        }

        await using (var single = Whole())
        {
            await single.Database.EnsureCreatedAsync();
            await FillAsync(() => Whole());
        }

        await FillAsync(() => Sharded.CreateDbContext());
    }

    /// <summary>Configures a context over the shards, each with a replica.</summary>
    /// <param name="options">The options.</param>
    /// <param name="contract">What reads ask for.</param>
    /// <param name="cache">Sets up the cache.</param>
    /// <param name="more">Sets more of the shards.</param>
    /// <param name="connections">What leads to the primary of each shard; <see langword="null"/> for what is usual.</param>
    /// <remarks>All with the same capabilities: for each other choice of them EF builds services of its own, and warns after twenty.</remarks>
    public DbContextOptionsBuilder Configure(
        DbContextOptionsBuilder options,
        ReadContract contract,
        Action<QueryCacheOptionsBuilder>? cache = null,
        Action<ShardingOptionsBuilder>? more = null,
        Func<string, string>? connections = null) => options
        .UseNpgsql()
        .UseSharding(s =>
        {
            Array.ForEach(
                _shards,
                shard => s.AddShard(shard, (connections ?? (name => ConnectionTo(name)))(shard), r => r.AddReplica(ConnectionTo(shard, fixture.Cluster.Standbys[0])).DefaultContract(contract)));
            more?.Invoke(s);
        })
        .UseQueryCache(cache);

    /// <summary>What leads to each shard by a pool of its own.</summary>
    public Func<string, string> ConnectionsOf(int maxPoolSize)
    {
        var application = Guid.NewGuid().ToString("N");
        return shard => new NpgsqlConnectionStringBuilder(ConnectionTo(shard)) { MaxPoolSize = maxPoolSize, Timeout = 10, ApplicationName = application }.ConnectionString;
    }

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }
    }

    public string ConnectionTo(string database, PostgresServer? server = null) =>
        new NpgsqlConnectionStringBuilder((server ?? fixture.Cluster.Primary).ConnectionString) { Database = $"{_name}_{database}" }.ConnectionString;

    private static async Task FillAsync(Func<ShopContext> create)
    {
        for (var id = 1; id <= Customers; id++)
        {
            await using var context = create();
            var customer = new Customer { Id = id, Name = $"customer {id % 7}" };
            for (var number = 1; number <= id % 4; number++)
            {
                var order = new Order { Id = (id * 100) + number, Total = (id * number) + 0.5m };
                order.Lines.Add(new OrderLine { Number = 1, ProductId = 1 + (id % 3), Count = number });
                order.Lines.Add(new OrderLine { Number = 2, ProductId = 1 + (number % 3), Count = id });
                customer.Orders.Add(order);
            }

            context.Add(customer);
            await context.SaveChangesAsync();
        }
    }
}
