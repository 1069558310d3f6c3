using System.Net;
using System.Net.Sockets;
using EfScaling.Consistency;
using EfScaling.Routing.Scatter;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>What queries over several shards do when a shard does not answer, when they take too much, and when they are broken off.</summary>
public sealed class ScatterLimitTests(ShopDatabases databases) : IClassFixture<ShopDatabases>
{
    [Fact]
    public async Task Shards_that_do_not_answer_are_left_out_only_where_the_application_says_so()
    {
        await using var services = ServicesWithADeadShard();
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        var failure = await Assert.ThrowsAnyAsync<Exception>(() => context.Customers.CountAsync());
        Assert.Contains("'dead'", failure.ToString(), StringComparison.Ordinal);

        using (context.Database.AllowPartialResults(out var report))
        {
            Assert.Equal(ShopDatabases.Customers, await context.Customers.CountAsync());
            Assert.Equal(ShopDatabases.Customers, (await context.Customers.AsNoTracking().OrderBy(c => c.Id).ToListAsync()).Count);
            Assert.Equal(ShopDatabases.Customers, context.Customers.AsNoTracking().OrderBy(c => c.Id).ToList().Count);

            // How the dead one orders texts cannot be asked.
            Assert.Equal(ShopDatabases.Customers, (await context.Customers.AsNoTracking().OrderBy(c => c.Name).ToListAsync()).Count);
            Assert.Equal(ShopDatabases.Customers, context.Customers.AsNoTracking().OrderBy(c => c.Name).ToList().Count);
            Assert.False(report.AreComplete);
            Assert.Equal("dead", Assert.Single(report.Failures).Key);
        }

        var outer = context.Database.AllowPartialResults(out var wholeReport);
        using (context.Database.AllowPartialResults(out var innerReport))
        {
            Assert.Equal(ShopDatabases.Customers, await context.Customers.CountAsync());
            Assert.Equal((false, false), (innerReport.AreComplete, wholeReport.AreComplete));
        }

        Assert.Equal(ShopDatabases.Customers, await context.Customers.CountAsync());
        var inner = context.Database.AllowPartialResults(out _);
        outer.Dispose();
        Assert.Equal(ShopDatabases.Customers, await context.Customers.CountAsync());
        inner.Dispose();
        await Assert.ThrowsAnyAsync<Exception>(() => context.Customers.CountAsync());
        await using var bound = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContextOnShard("north");
        Assert.Contains("CreateDbContext()", Assert.Throws<InvalidOperationException>(() => bound.Database.AllowPartialResults(out _)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_shard_that_refuses_the_query_itself_fails_it_also_where_shards_may_be_left_out()
    {
        await using var context = databases.Sharded.CreateDbContext();
        using (context.Database.AllowPartialResults(out var report))
        {
            await Assert.ThrowsAnyAsync<Exception>(() => context.Customers.Select(c => 1 / (c.Id - c.Id)).ToListAsync());
            Assert.True(report.AreComplete);
        }
    }

    [Fact]
    public async Task Too_many_intermediate_rows_end_the_query_and_leave_the_context_usable()
    {
        await using var services = Services(s => s.ScatterBudget(new ScatterBudget { MaxRows = 10 }));
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        var groups = context.Orders.GroupBy(o => o.CustomerId % 9).Select(g => new { g.Key, Count = g.Count() });
        Assert.Contains("ScatterBudget", (await Assert.ThrowsAsync<ScatterBudgetExceededException>(() => groups.ToListAsync())).Message, StringComparison.Ordinal);
        Assert.Throws<ScatterBudgetExceededException>(() => groups.ToList());

        // What is merged as it comes is not counted, nor are a few rows.
        Assert.Equal(ShopDatabases.Customers, (await context.Customers.OrderBy(c => c.Id).ToListAsync()).Count);
        Assert.Equal(ShopDatabases.Customers, await context.Customers.CountAsync());

        // It ends no transaction.
        await using var transaction = await context.Database.BeginTransactionAsync();
        await Assert.ThrowsAsync<ScatterBudgetExceededException>(() => groups.ToListAsync());
        Assert.Throws<ScatterBudgetExceededException>(() => groups.ToList());
        Assert.Equal(ShopDatabases.Customers, await context.Customers.CountAsync());
        await transaction.CommitAsync();
    }

    [Fact]
    public async Task More_shards_than_allowed_are_not_asked()
    {
        await using var services = Services(s => s.ScatterBudget(new ScatterBudget { MaxShards = 3 }));
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        Assert.Contains("4 shards", (await Assert.ThrowsAsync<ScatterBudgetExceededException>(() => context.Customers.ToListAsync())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task As_many_shards_as_the_budget_allows_work_at_a_time()
    {
        await using var services = Services(s => s.ScatterBudget(new ScatterBudget { MaxConcurrency = 2 }));
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        await using var monitor = NpgsqlDataSource.Create(databases.ConnectionTo("all"));
        var locks = new Dictionary<string, NpgsqlConnection>(StringComparer.Ordinal);
        try
        {
            foreach (var shard in databases.Sharded.Shards)
            {
                var holder = new NpgsqlConnection(databases.ConnectionTo(shard));
                await holder.OpenAsync();
                locks.Add(holder.Database, holder);
                await using var command = new NpgsqlCommand("BEGIN; LOCK TABLE \"Customers\"", holder);
                await command.ExecuteNonQueryAsync();
            }

            var counting = context.Customers.CountAsync();

            // Each shard that is let go gives its turn to one that was not asked yet.
            for (var left = 4; left > 0; left--)
            {
                string[] working = [];
                await Eventually.ThatAsync(async () => (working = await WorkingAsync()).Length >= Math.Min(left, 2), TimeSpan.FromSeconds(30), "shards to work");
                Assert.Equal(Math.Min(left, 2), working.Length);
                await using var free = locks[working[0]];
                locks.Remove(working[0]);
            }

            Assert.Equal(ShopDatabases.Customers, await counting);
        }
        finally
        {
            foreach (var holder in locks.Values)
            {
                await holder.DisposeAsync();
            }
        }

        async Task<string[]> WorkingAsync()
        {
            await using var command = monitor.CreateCommand("SELECT coalesce(array_agg(datname::text), '{}') FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = ANY ($1)");
            command.Parameters.Add(new NpgsqlParameter { Value = locks.Keys.ToArray() });
            return (string[])(await command.ExecuteScalarAsync())!;
        }
    }

    [Fact]
    public async Task Cancellation_ends_the_query_on_all_shards_at_once()
    {
        await using var context = databases.Sharded.CreateDbContext();
        using var cancel = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        var started = TimeProvider.System.GetTimestamp();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => context.Customers.Where(c => c.Id > 0 && ShopContext.Sleep(20) != null).ToListAsync(cancel.Token));
        Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(15), "The query went on.");
        Assert.Equal(ShopDatabases.Customers, await context.Customers.CountAsync(CancellationToken.None));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_first_command_of_a_transaction_may_be_a_query_over_all_shards(bool async)
    {
        await using var context = databases.Sharded.CreateDbContext();
        await using var transaction = await context.Database.BeginTransactionAsync();
        var customers = context.Customers.AsNoTracking().OrderBy(c => c.Id);
        Assert.Equal(ShopDatabases.Customers, (async ? await customers.ToListAsync() : customers.ToList()).Count);
        Assert.Equal(ShopDatabases.Customers, async ? await customers.CountAsync() : customers.Count());

        // On the context's own shard, while others have only read.
        var notice = new Notice { Text = "read first" };
        context.Add(notice);
        await context.SaveChangesAsync();
        await transaction.CommitAsync();
        await using var other = databases.Sharded.CreateDbContext();
        Assert.Equal(1, await other.Notices.CountAsync(n => n.Id == notice.Id));
    }

    [Fact]
    public async Task A_stream_that_is_left_early_gives_its_connections_back()
    {
        await using var context = databases.Sharded.CreateDbContext();
        for (var round = 0; round < 3; round++)
        {
            await foreach (var customer in context.Customers.AsNoTracking().OrderBy(c => c.Id).AsAsyncEnumerable())
            {
                Assert.Equal(1, customer.Id);
                break;
            }

            Assert.Equal(ShopDatabases.Customers, await context.Customers.CountAsync());
        }
    }

    [Fact]
    public async Task A_stream_that_is_cancelled_stops_the_other_shards()
    {
        // Rows that fill the server's buffer, each after a second: reading one shard to its end takes as many seconds as it has rows.
        await using var context = databases.Sharded.CreateDbContext();
        var slow = context.Customers.AsNoTracking().Where(c => ShopContext.Sleep(1) != null).Select(c => new { c.Id, Wide = c.Name.PadRight(20_000) });
        using var cancel = new CancellationTokenSource();
        var started = TimeProvider.System.GetTimestamp();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var row in slow.AsAsyncEnumerable().WithCancellation(cancel.Token))
            {
                await cancel.CancelAsync();
            }
        });
        Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(6), $"Cancelling took {TimeProvider.System.GetElapsedTime(started)}.");
        Assert.Equal(ShopDatabases.Customers, await context.Customers.CountAsync(CancellationToken.None));
    }

    [Fact]
    public async Task A_query_is_explained_without_being_run()
    {
        await using var context = databases.Sharded.CreateDbContext();
        Assert.StartsWith(
            "several shards\n  collected from north, east, south, west: SELECT s.c0::text",
            context.Orders.GroupBy(o => o.CustomerId % 2).Select(g => new { g.Key, Count = g.Count() }).ToRoutingString(),
            StringComparison.Ordinal);
        Assert.StartsWith("several shards\n  merged in order from north, east, south, west: SELECT", context.Customers.OrderBy(c => c.Id).ToRoutingString(), StringComparison.Ordinal);
        await context.Customers.OrderBy(c => c.Id).ToListAsync();
        Assert.Equal("east, north, south, west", context.Database.LastRouting()!.Value.Shard);
    }

    [Fact]
    public async Task LastRouting_tells_of_the_part_whose_rows_may_be_the_oldest()
    {
        // The shard that is asked last has no replica.
        await using var services = Services(s => s.AddShard("whole", databases.ConnectionTo("all")), ReadContract.MaxStaleness);
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        var ordered = context.Customers.AsNoTracking().OrderBy(c => c.Id);
        await Eventually.ThatAsync(
            async () => await ordered.ToListAsync() is not null && context.Database.LastRouting() is { Role: NodeRole.Replica }, TimeSpan.FromSeconds(30), "replicas to answer");
        Assert.NotEqual(TimeSpan.Zero, context.Database.LastRouting()!.Value.StalenessBound);

        // The result is given by a shard's primary, from parts that came from replicas.
        Assert.NotEqual(0, await context.Customers.CountAsync());
        Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
    }

    private ServiceProvider Services(Action<ShardingOptionsBuilder> sharding, ReadContract contract = ReadContract.Primary) => new ServiceCollection()
        .AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, contract, more: sharding))
        .BuildServiceProvider();

    // A fifth shard, at a port that nobody listens at; the first four keep the keys that they have.
    private ServiceProvider ServicesWithADeadShard()
    {
        return Services(s => s
            .AddShard("dead", Nobody(), r => r.AddReplica(Nobody()).DefaultContract(ReadContract.Primary))
            .UseMap(shards => new DirectoryShardMap(
                new HashShardMap([.. shards.Where(n => n != "dead")], HashShardMap.DefaultBucketCount, [ShardKeyType.Int4]),
                new Dictionary<ShardKey, string> { [ShardKey.Of(-1)] = "dead" },
                ["dead"])));
    }

    private static string Nobody()
    {
        using var nobody = new TcpListener(IPAddress.Loopback, 0);
        nobody.Start();
        return $"Host=127.0.0.1;Port={((IPEndPoint)nobody.LocalEndpoint).Port};Username=u;Database=d;Timeout=1";
    }
}
