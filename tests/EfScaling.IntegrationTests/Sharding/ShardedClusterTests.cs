using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Routing;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>Each shard is a cluster with its own replicas, and its results are cached for itself.</summary>
public sealed class ShardedClusterTests(ShopDatabases databases) : IClassFixture<ShopDatabases>
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Reads_run_on_the_replica_of_their_shard_and_see_what_the_context_wrote()
    {
        await using var services = new ServiceCollection().AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, ReadContract.Session)).BuildServiceProvider();
        var factory = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>();
        for (var id = 1; id <= 8; id++)
        {
            await Eventually.ThatAsync(
                async () =>
                {
                    await using var context = factory.CreateDbContext();
                    var customer = await context.Customers.SingleAsync(c => c.Id == id);
                    Assert.Equal($"customer {id % 7}", customer.Name);
                    var routing = context.Database.LastRouting()!.Value;
                    Assert.Equal(factory.ShardOf(ShardKey.Of(id)), routing.Shard);
                    return routing.Role == NodeRole.Replica;
                },
                _deadline,
                "a replica serves the shard");
        }

        await using var writer = factory.CreateDbContext();
        for (var id = 1; id <= 8; id++)
        {
            writer.Add(new Order { CustomerId = id, Total = 7 });
            await writer.SaveChangesAsync();
            Assert.Equal(1, await writer.Orders.CountAsync(o => o.CustomerId == id && o.Total == 7));
            await writer.Orders.Where(o => o.CustomerId == id && o.Total == 7).ExecuteDeleteAsync();
            Assert.Equal(0, await writer.Orders.CountAsync(o => o.CustomerId == id && o.Total == 7));
        }
    }

    [Fact]
    public async Task Scopes_of_a_context_count_on_every_shard_and_what_is_about_one_database_is_refused()
    {
        await using var services = new ServiceCollection().AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, ReadContract.Any)).BuildServiceProvider();
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        using (context.Database.UsePrimary())
        {
            for (var id = 1; id <= 8; id++)
            {
                await context.Customers.AnyAsync(c => c.Id == id);
                Assert.Equal(RoutingReason.PrimaryRequested, context.Database.LastRouting()!.Value.Reason);
            }
        }

        Assert.Contains("ConsistencySession", Assert.Throws<InvalidOperationException>(() => context.Database.GetConsistencyToken()).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.BeginReplicaSnapshotAsync());
    }

    [Fact]
    public async Task Results_are_cached_for_each_shard_and_made_old_by_writes_there()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var services = new ServiceCollection()
            .AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, ReadContract.Session, c => c.Redis(redis.Endpoint)))
            .BuildServiceProvider();
        var factory = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>();
        using var session = ConsistencySession.Begin();
        for (var id = 1; id <= 8; id++)
        {
            await Eventually.ThatAsync(
                async () =>
                {
                    await using var context = factory.CreateDbContext();
                    _ = await context.Customers.Where(c => c.Id == id).Select(c => c.Name).Cacheable().SingleAsync();
                    return context.Database.LastRouting() is { Cache.IsHit: true };
                },
                _deadline,
                "the cache answers for the shard");
            await using var writer = factory.CreateDbContext();
            await writer.Customers.Where(c => c.Id == id).ExecuteUpdateAsync(s => s.SetProperty(c => c.Name, "renamed"));
            await using (var reader = factory.CreateDbContext())
            {
                Assert.Equal("renamed", await reader.Customers.Where(c => c.Id == id).Select(c => c.Name).Cacheable().SingleAsync());
            }

            (await writer.Customers.SingleAsync(c => c.Id == id)).Name = $"customer {id % 7}";
            await writer.SaveChangesAsync();
            await using var last = factory.CreateDbContext();
            Assert.Equal($"customer {id % 7}", await last.Customers.Where(c => c.Id == id).Select(c => c.Name).Cacheable().SingleAsync());
        }
    }

    [Fact]
    public async Task A_context_that_spans_shards_makes_results_of_all_of_them_old()
    {
        await using var services = new ServiceCollection()
            .AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, ReadContract.Session, c => c.TimeToLive(TimeSpan.FromHours(1))))
            .BuildServiceProvider();
        var factory = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>();
        await using var invalidating = factory.CreateDbContext();
        var (one, other) = databases.TwoKeysOfDifferentShards();
        foreach (var invalidate in new Func<Task>[]
        {
            () => invalidating.Database.InvalidateCacheAsync<Customer>(),
            () => invalidating.Database.InvalidateCacheTagsAsync(["name"]),
            () => invalidating.Database.InvalidateCacheAsync(),
        })
        {
            foreach (var id in new[] { one, other })
            {
                await Eventually.ThatAsync(async () => (await NameAsync(id)).Cache is CacheOutcome.LocalHit, _deadline, "the cache answers for the shard");
                await RenameAsync(id, "unseen");
                Assert.Equal($"customer {id % 7}", (await NameAsync(id)).Name);
            }

            await invalidate();

            // Not from a replica, which may not have it yet: a session would have to say so.
            foreach (var id in new[] { one, other })
            {
                await Eventually.ThatAsync(async () => (await NameAsync(id)).Name == "unseen", _deadline, "the write is seen");
                await RenameAsync(id, $"customer {id % 7}");
            }

            await invalidate();
        }

        async Task<(string Name, CacheOutcome? Cache)> NameAsync(int id)
        {
            await using var context = factory.CreateDbContext();
            var name = await context.Customers.Where(c => c.Id == id).Select(c => c.Name).Cacheable().WithCacheTag("name").SingleAsync();
            return (name, context.Database.LastRouting()!.Value.Cache?.Outcome);
        }

        // As a program does that knows nothing of EF.
        async Task RenameAsync(int id, string name)
        {
            await using var context = factory.CreateDbContext(ShardKey.Of(id));
            var connection = context.Database.GetDbConnection();
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
            command.CommandText = $"UPDATE \"Customers\" SET \"Name\" = '{name}' WHERE \"Id\" = {id}";
            Assert.Equal(1, await command.ExecuteNonQueryAsync());
        }
    }

    [Fact]
    public async Task A_context_that_reads_a_result_waits_for_no_turn_to_load_another_one()
    {
        await using var services = new ServiceCollection()
            .AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, ReadContract.Session, c => c.MaxConcurrentLoads(1)))
            .BuildServiceProvider();
        var factory = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>();
        var (one, other) = databases.TwoKeysOfDifferentShards();
        foreach (var id in new[] { one, other })
        {
            await Eventually.ThatAsync(async () => await CountAsync(factory, id, total: -1) is CacheOutcome.LocalHit, _deadline, "the cache answers for the shard");
        }

        await using var context = factory.CreateDbContext();
        await using (var rows = StreamAsync(context, one).GetAsyncEnumerator())
        {
            Assert.True(await rows.MoveNextAsync());
            await using var neighbour = factory.CreateDbContext();
            await using (var others = StreamAsync(neighbour, other).GetAsyncEnumerator())
            {
                Assert.True(await others.MoveNextAsync());

                // Who reads nothing else waits in vain, and who does must not wait for what may wait for it.
                Assert.Equal(CacheOutcome.TooManyLoads, await CountAsync(factory, other, total: 1_000));
                Assert.Equal(0, await CountOrders(context, other, 1_001).CountAsync());
                Assert.Equal(CacheOutcome.Absent, context.Database.LastRouting()!.Value.Cache!.Value.Outcome);
            }

            // What it loads meanwhile does not end its turn.
            Assert.Equal(CacheOutcome.TooManyLoads, await CountAsync(factory, one, total: 1_000));
        }

        foreach (var id in new[] { one, other })
        {
            Assert.Equal(CacheOutcome.Absent, await CountAsync(factory, id, total: 1_002));
        }

        static IAsyncEnumerable<Customer> StreamAsync(ShopContext context, int id) => context.Customers.Where(c => c.Id == id).AsNoTracking().Cacheable().AsAsyncEnumerable();

        static IQueryable<Order> CountOrders(ShopContext context, int id, int total) => context.Orders.Where(o => o.CustomerId == id && o.Total == total).Cacheable();

        static async Task<CacheOutcome?> CountAsync(ShardedDbContextFactory<ShopContext> factory, int id, int total)
        {
            await using var context = factory.CreateDbContext();
            await CountOrders(context, id, total).CountAsync();
            return context.Database.LastRouting()!.Value.Cache?.Outcome;
        }
    }

    [Fact]
    public async Task A_command_timeout_of_the_context_counts_on_every_shard()
    {
        foreach (var id in Enumerable.Range(1, ShopDatabases.Customers).DistinctBy(id => databases.Sharded.ShardOf(ShardKey.Of(id))))
        {
            await using var context = databases.Sharded.CreateDbContext();
            context.Database.SetCommandTimeout(1);
            var late = await Assert.ThrowsAnyAsync<Exception>(() => context.Customers.Where(c => c.Id == id && ShopContext.Sleep(5) != null).ToListAsync());
            Assert.IsType<TimeoutException>(late.GetBaseException());
        }
    }
}
