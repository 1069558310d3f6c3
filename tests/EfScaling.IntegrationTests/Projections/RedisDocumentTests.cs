using System.Globalization;
using EfScaling.Caching.Redis;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Projections;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.IntegrationTests.Projections;

/// <summary>Documents in Redis follow what is committed, and are never set back.</summary>
public sealed class RedisDocumentTests(ClusterFixture fixture)
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(30);
    private static readonly RedisServerOptions _persistent = new() { Arguments = ["--appendonly", "yes", "--appendfsync", "always"] };

    [Fact]
    public async Task Document_follows_inserts_updates_and_deletes()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = await database.Instance(o => o.Redis = OptionsOf(redis)).StartAsync();
        var order = new Order { Customer = new Customer { Name = "Ada" }, Lines = [new OrderLine { Product = "pen", Price = 2 }] };

        await FollowsAsync(async c => await c.AddAsync(order));
        var key = $"efs:doc:OrderView:{order.Id}";
        Assert.Equal($"{order.Id}: Ada, , 2.00, pen=2.00", await FindAsync(instance, order.Id));
        Assert.StartsWith($$"""{"OrderId":{{order.Id}},"Customer":"Ada",""", await redis.ExecuteAsync("HGET", key, "view"), StringComparison.Ordinal);
        Assert.Equal("-1", await redis.ExecuteAsync("PTTL", key));

        await FollowsAsync(async c => (await c.Lines.SingleAsync()).Price = 20);
        await FollowsAsync(async c => (await c.Customers.SingleAsync()).Name = "Grace");
        Assert.Equal($"{order.Id}: Grace, , 20.00, pen=20.00", await FindAsync(instance, order.Id));

        await FollowsAsync(async c => c.Remove(await c.Orders.SingleAsync()));
        Assert.Null(await FindAsync(instance, order.Id));
        Assert.Equal("version", await redis.ExecuteAsync("HKEYS", key));
        Assert.InRange(long.Parse((await redis.ExecuteAsync("PTTL", key))!, CultureInfo.InvariantCulture), 1, 3_600_000);

        await FollowsAsync(async c => await c.AddAsync(new Order { Id = order.Id, Note = "again" }));
        Assert.Equal($"{order.Id}: , , 0.00, ", await FindAsync(instance, order.Id));
        Assert.Equal("-1", await redis.ExecuteAsync("PTTL", key));

        async Task FollowsAsync(Func<OrderContext, Task> write)
        {
            await instance.WriteAsync(write);
            await instance.UntilAppliedAsync();
            Assert.Equal(await instance.ExpectedAsync(), await DocumentsAsync(instance));
            Assert.Equal(0, await instance.RowsAsync());
        }
    }

    [Fact]
    public async Task Rights_that_the_documentation_names_suffice()
    {
        await using var redis = await RedisServer.StartAsync(
            new RedisServerOptions { Users = ["views on >pw resetchannels ~efs:doc:* +hello +auth +ping +info +eval +evalsha +hget +hset +hdel +pexpire +persist"] });
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = await database.Instance(o => o.Redis = OptionsOf(redis) with { User = "views", Password = "pw" }).StartAsync();
        var order = new Order { Note = "first" };

        await instance.WriteAsync(async c => await c.AddAsync(order));
        await instance.UntilAppliedAsync();
        Assert.NotNull(await FindAsync(instance, order.Id));

        await instance.WriteAsync(async c => c.Remove(await c.Orders.SingleAsync()));
        await instance.UntilAppliedAsync();
        Assert.Null(await FindAsync(instance, order.Id));
        Assert.Equal(0, instance.Log.Count(EfScalingEventId.ProjectionPaused));
    }

    [Fact]
    public async Task Projections_of_one_view_type_keep_documents_of_their_own_over_one_connection()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var services = new ServiceCollection()
            .AddProjection<OrderContext, OrderView>(p => Build(p, redis))
            .AddProjection<OrderContext, OrderView>(p => Build(p.Named("second"), redis))
            .BuildServiceProvider();
        var first = services.GetRequiredKeyedService<IProjectionStore<OrderView>>("OrderView");
        var second = services.GetRequiredKeyedService<IProjectionStore<OrderView>>("second");
        Assert.Same(first, services.GetRequiredService<IProjectionStore<OrderView>>());

        // At once: whoever comes before the connection waits for it.
        await first.WriteAsync("1", new OrderView { OrderId = 1, City = "Paris" }, 1);
        await second.WriteAsync("1", new OrderView { OrderId = 1, City = "Rome" }, 1);

        Assert.Equal("Paris", (await first.FindAsync("1"))?.City);
        Assert.Equal("Rome", (await second.FindAsync("1"))?.City);
        Assert.Null(await first.FindAsync("2"));
        Assert.Single((await redis.ExecuteAsync("CLIENT", "LIST"))!.Split('\n'), c => c.Contains("name=EfScaling ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Only_a_higher_version_is_written()
    {
        // Neighbours that are the same number to Lua, and numbers of different lengths.
        const long Above = (1L << 53) + 1;
        await using var redis = await RedisServer.StartAsync();
        using var documents = new RedisDocuments(OptionsOf(redis), TimeProvider.System);
        var token = TestContext.Current.CancellationToken;

        Assert.True(await documents.SetIfNewerAsync("k", "nine"u8.ToArray(), 9, token));
        Assert.True(await documents.SetIfNewerAsync("k", "ten"u8.ToArray(), 10, token));
        Assert.True(await documents.SetIfNewerAsync("k", "below"u8.ToArray(), Above - 1, token));
        Assert.True(await documents.SetIfNewerAsync("k", "above"u8.ToArray(), Above, token));
        Assert.False(await documents.SetIfNewerAsync("k", "same"u8.ToArray(), Above, token));
        Assert.False(await documents.SetIfNewerAsync("k", "older"u8.ToArray(), Above - 1, token));
        Assert.False(await documents.RemoveIfNewerAsync("k", Above, TimeSpan.FromMinutes(1), token));
        Assert.Equal("above"u8.ToArray(), await documents.GetAsync("k", token));

        Assert.True(await documents.RemoveIfNewerAsync("k", Above + 2, TimeSpan.FromMinutes(1), token));
        Assert.Null(await documents.GetAsync("k", token));
        Assert.False(await documents.SetIfNewerAsync("k", "late"u8.ToArray(), Above + 1, token));
        Assert.Null(await documents.GetAsync("k", token));

        Assert.True(await documents.SetIfNewerAsync("k", ReadOnlyMemory<byte>.Empty, long.MaxValue, token));
        Assert.Empty((await documents.GetAsync("k", token))!);
    }

    [Fact]
    public async Task Newest_version_wins_when_writers_race()
    {
        const int Keys = 3;
        const int Versions = 600;
        var seed = Random.Shared.Next();
        TestContext.Current.SendDiagnosticMessage("Seed {0}", seed);
        await using var redis = await RedisServer.StartAsync();
        using var one = new RedisDocuments(OptionsOf(redis), TimeProvider.System);
        using var other = new RedisDocuments(OptionsOf(redis), TimeProvider.System);

        // Each version once, by one of the writers, in any order; every third removes. The last ones are next to each other above 2^53.
        var calls = Enumerable.Range(0, Versions).Select(i => (Key: $"{i % Keys}", Version: (1L << 53) + i, IsRemoval: i / Keys % 3 == 0)).ToArray();
        new Random(seed).Shuffle(calls);
        await Task.WhenAll(
            WriteAsync(new RedisDocumentStore<OrderView>(one, "race", null), calls.Where((_, i) => i % 2 == 0)),
            WriteAsync(new RedisDocumentStore<OrderView>(other, "race", null), calls.Where((_, i) => i % 2 == 1)));

        var reader = new RedisDocumentStore<OrderView>(one, "race", null);
        foreach (var newest in calls.GroupBy(c => c.Key).Select(g => g.MaxBy(c => c.Version)))
        {
            var expected = newest.IsRemoval ? null : $"{newest.Version}";
            Assert.True(expected == (await reader.FindAsync(newest.Key))?.City, $"Key {newest.Key} with seed {seed}");
            Assert.Equal($"{newest.Version}", await redis.ExecuteAsync("HGET", $"efs:doc:race:{newest.Key}", "version"));
        }

        static Task WriteAsync(RedisDocumentStore<OrderView> store, IEnumerable<(string Key, long Version, bool IsRemoval)> calls) =>
            Parallel.ForEachAsync(calls, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (call, token) => await (call.IsRemoval
                ? store.RemoveAsync(call.Key, call.Version, token)
                : store.WriteAsync(call.Key, new OrderView { City = $"{call.Version}" }, call.Version, token)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Outage_of_Redis_parks_nothing_and_loses_nothing(bool kills)
    {
        await using var redis = await RedisServer.StartAsync(_persistent);
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = await database.Instance(o => (o.Redis, o.Settings) = (OptionsOf(redis), p => p.MaxAttempts(1))).StartAsync();
        var kept = await instance.AddOrderAsync(null, 1);
        var removed = await instance.AddOrderAsync(null, 2);
        await instance.UntilAppliedAsync();

        await (kills ? redis.KillAsync() : redis.SuspendAsync());
        await instance.AddOrderAsync(null, 3);
        await instance.WriteAsync(async c => (await c.Lines.SingleAsync(l => l.OrderId == kept)).Price = 10);
        await instance.WriteAsync(async c => c.Remove(await c.Orders.SingleAsync(o => o.Id == removed)));
        await Eventually.ThatAsync(() => instance.Log.Count(EfScalingEventId.ProjectionPaused) > 1, _deadline, "the projection to pause twice");
        var outage = await Assert.ThrowsAsync<IOException>(() => instance.Documents.FindAsync(ProjectionKey.Format(kept)));
        Assert.Contains(redis.Endpoint, outage.Message, StringComparison.Ordinal);
        Assert.True((await instance.StatusAsync()).Pending > 0);

        await (kills ? redis.StartAsync() : redis.ContinueAsync());
        await instance.UntilAppliedAsync();

        Assert.Equal(await instance.ExpectedAsync(), await DocumentsAsync(instance));
        Assert.Null(await FindAsync(instance, removed));
        Assert.Equal(0, instance.Log.Count(EfScalingEventId.ProjectionParked));
        Assert.Equal(0, await instance.RowsAsync());
    }

    [Fact]
    public async Task Redis_that_restarts_while_writers_go_on_ends_with_the_right_documents()
    {
        await using var redis = await RedisServer.StartAsync(_persistent);
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        OrderInstance[] instances = [database.Instance(Configure), database.Instance(Configure)];
        var ids = new int[8];
        for (var i = 0; i < ids.Length; i++)
        {
            ids[i] = await instances[0].AddOrderAsync(null, 1);
        }

        foreach (var instance in instances)
        {
            await instance.StartAsync();
        }

        using var end = new CancellationTokenSource();
        var writes = 0;
        var writing = Task.WhenAll(Enumerable.Range(0, 2).Select(n => Task.Run(async () =>
        {
            for (var i = 1; !end.IsCancellationRequested; i++)
            {
                var id = ids[(i * 3 + n) % ids.Length];
                await instances[n].WriteAsync(async c => (await c.Lines.SingleAsync(l => l.OrderId == id)).Price = i);
                Interlocked.Increment(ref writes);
            }
        })));
        for (var restart = 0; restart < 2; restart++)
        {
            await MoreWritesAsync();
            await redis.KillAsync();
            await MoreWritesAsync();
            await redis.StartAsync();
        }

        await MoreWritesAsync();
        await end.CancelAsync();
        await writing;
        await instances[0].UntilAppliedAsync();

        Assert.Equal(await instances[0].ExpectedAsync(), await DocumentsAsync(instances[1]));
        Assert.Equal(0, instances.Sum(i => i.Log.Count(EfScalingEventId.ProjectionParked)));

        void Configure(OrderInstanceOptions options) => (options.Redis, options.Settings) = (OptionsOf(redis), p => p.MaxAttempts(1));

        async Task MoreWritesAsync()
        {
            var target = Volatile.Read(ref writes) + 20;
            await Eventually.ThatAsync(() => writing.IsCompleted || Volatile.Read(ref writes) >= target, _deadline, "more writes");
        }
    }

    [Fact]
    public async Task Rebuild_restores_what_Redis_has_lost()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = await database.Instance(o => o.Redis = OptionsOf(redis)).StartAsync();
        for (var i = 0; i < 5; i++)
        {
            await instance.AddOrderAsync(null, i);
        }

        await instance.UntilAppliedAsync();
        await redis.KillAsync();
        await redis.StartAsync();
        await Eventually.ThatAsync(async () => await IsReadableAsync(instance), _deadline, "Redis to be in use again");
        Assert.Empty(await DocumentsAsync(instance));

        await using (var context = instance.Context())
        {
            await context.Database.RebuildProjectionAsync<OrderView>();
        }

        await instance.UntilAppliedAsync();
        var documents = await DocumentsAsync(instance);
        Assert.Equal(5, documents.Count);
        Assert.Equal(await instance.ExpectedAsync(), documents);
    }

    private static RedisOptions OptionsOf(RedisServer server) => new() { Endpoints = [new(server.Host, server.Port)], OpenTime = TimeSpan.FromMilliseconds(100) };

    private static void Build(ProjectionBuilder<OrderContext, OrderView> projection, RedisServer redis) =>
        projection.Key(v => v.OrderId).On<Order>(o => o.Id).Build(OrderContext.BuildAsync).IntoRedis(redis.Endpoint);

    private static async Task<string?> FindAsync(OrderInstance instance, int id) => (await instance.Documents.FindAsync(ProjectionKey.Format(id)))?.ToString();

    private static async Task<bool> IsReadableAsync(OrderInstance instance)
    {
        try
        {
            await FindAsync(instance, 0);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Returns the documents of all orders that there are.</summary>
    private static async Task<List<string>> DocumentsAsync(OrderInstance instance)
    {
        await using var context = instance.Context();
        var documents = new List<string>();
        foreach (var id in await context.Orders.OrderBy(o => o.Id).Select(o => o.Id).ToListAsync())
        {
            if (await FindAsync(instance, id) is { } document)
            {
                documents.Add(document);
            }
        }

        return documents;
    }
}
