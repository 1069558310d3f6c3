using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Projections;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Projections;

/// <summary>A session can ask to see its own writes in a read model.</summary>
public sealed class ProjectionSessionTests(ClusterFixture fixture)
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(30);
    private static readonly byte[] _key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    [Fact]
    public async Task Session_waits_for_its_writes_and_one_without_writes_does_not()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = database.Instance();
        using var session = ConsistencySession.Begin();
        var id = await instance.AddOrderAsync(null, 1);

        await using var context = instance.Context();
        Assert.Equal(ProjectionWait.TimedOut, await context.Database.WaitForProjectionAsync<OrderView>(TimeSpan.Zero));
        Assert.Equal(ProjectionWait.Applied, await OutsideAsync(async () =>
        {
            await using var other = instance.Context();
            return await other.Database.WaitForProjectionAsync<OrderView>(TimeSpan.Zero);
        }));

        var waiting = context.Database.WaitForProjectionAsync<OrderView>(_deadline);
        Assert.False(waiting.IsCompleted);
        await instance.StartAsync();
        Assert.Equal(ProjectionWait.Applied, await waiting);
        Assert.Equal([$"{id}: , , 1.00, p0=1.00"], await instance.ViewsAsync());
    }

    [Fact]
    public async Task Session_waits_for_all_views_that_its_change_affects()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var gate = new TaskCompletionSource();
        gate.SetResult();
        var instance = await database.Instance(o => o.Build = async (db, id, token) =>
        {
            await Volatile.Read(ref gate).Task.WaitAsync(token);
            return await OrderContext.BuildAsync(db, id, token);
        }).StartAsync();
        await instance.WriteAsync(async c => await c.AddAsync(new Order { Customer = new Customer { Name = "Ada" } }));
        await instance.UntilAppliedAsync();
        Volatile.Write(ref gate, new TaskCompletionSource());

        await using var context = instance.Context();
        (await context.Customers.SingleAsync()).Name = "Grace";
        await context.SaveChangesAsync();
        await Eventually.ThatAsync(
            async () => await database.Cluster.Primary.ScalarAsync<long>($"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = '{database.Name}')") == 1
                && (await context.Database.SqlQueryRaw<string>("SELECT source AS \"Value\" FROM efscaling.outbox").ToListAsync()) is [""],
            _deadline,
            "the change to be replaced by the affected view, and that to be built");

        Assert.Equal(ProjectionWait.TimedOut, await context.Database.WaitForProjectionAsync<OrderView>(TimeSpan.Zero));
        gate.SetResult();
        Assert.Equal(ProjectionWait.Applied, await context.Database.WaitForProjectionAsync<OrderView>(_deadline));
        Assert.Contains("Grace", Assert.Single(await instance.ViewsAsync()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Token_takes_the_demand_to_another_process(bool usesReplicas)
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var (writer, reader) = (database.Instance(Configure), database.Instance(Configure));
        var protector = new ConsistencyTokenProtector(_key);
        string text;
        int id;
        using (var session = ConsistencySession.Begin())
        {
            id = await writer.AddOrderAsync(null, 1);
            text = protector.Protect(await session.GetTokenAsync());
        }

        using (ConsistencySession.Begin(protector.Unprotect(text)))
        {
            await using var context = reader.Context();
            Assert.Equal(ProjectionWait.TimedOut, await context.Database.WaitForProjectionAsync<OrderView>(TimeSpan.Zero));
            await reader.StartAsync();
            Assert.Equal(ProjectionWait.Applied, await context.Database.WaitForProjectionAsync<OrderView>(_deadline));
            Assert.Equal([$"{id}: , , 1.00, p0=1.00"], await reader.ViewsAsync());
        }

        if (usesReplicas)
        {
            await using var writing = writer.Context();
            await using var reading = reader.Context();
            await reader.StopAsync();
            writing.Add(new Order());
            await writing.SaveChangesAsync();
            reading.Database.UseConsistencyToken(protector.Unprotect(protector.Protect(await writing.Database.GetConsistencyTokenAsync())));
            Assert.Equal(ProjectionWait.TimedOut, await reading.Database.WaitForProjectionAsync<OrderView>(TimeSpan.Zero));
        }

        void Configure(OrderInstanceOptions options)
        {
            if (usesReplicas)
            {
                options.Context = o => o.UseReadReplicas(r => r.AddReplica(database.Cluster.Standbys[0].GetConnectionString(database.Name)));
            }
        }
    }

    [Fact]
    public async Task View_is_read_where_the_commit_that_changed_it_is_visible()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await using var database = await OrderDatabase.CreateAsync(cluster);
        var instance = await database.Instance(o => o.Context = c => c.UseReadReplicas(
            r => r.AddReplica(cluster.Standbys[0].GetConnectionString(database.Name)).MaxStaleness(TimeSpan.FromMinutes(5)))).StartAsync();
        await cluster.WaitForReplicationAsync();
        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = instance.Context();
                await context.Views.AsNoTracking().CountAsync();
                return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
            },
            _deadline,
            "the replica to serve");
        await cluster.Standbys[0].PauseReplayAsync();

        using var session = ConsistencySession.Begin();
        await instance.AddOrderAsync(null, 1);
        await using var reading = instance.Context();
        Assert.Equal(ProjectionWait.Applied, await reading.Database.WaitForProjectionAsync<OrderView>(_deadline));

        Assert.Equal(1, await reading.Views.AsNoTracking().CountAsync());
        await using var next = instance.Context();
        Assert.Equal(1, await next.Views.AsNoTracking().CountAsync());
        Assert.Equal(0, await OutsideAsync(async () =>
        {
            await using var outside = instance.Context();
            return await outside.Views.AsNoTracking().CountAsync();
        }));
    }

    [Fact]
    public async Task Waiting_in_a_transaction_is_refused()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        await using var context = database.Instance().Context();
        await using var transaction = await context.Database.BeginTransactionAsync();

        var exception = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.WaitForProjectionAsync<OrderView>());

        Assert.Contains("Commit it first", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rebuild_does_not_keep_a_session_waiting()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = database.Instance();
        await instance.AddOrderAsync();
        await using var context = instance.Context();
        await context.Database.ExecuteSqlRawAsync("DELETE FROM efscaling.outbox");
        Assert.Equal(1, await context.Database.RebuildProjectionAsync<OrderView>());
        Assert.Equal(0, await context.Database.RebuildProjectionAsync<OrderView>());

        using var session = ConsistencySession.Begin(ConsistencyToken.Unknown);
        Assert.Equal(ProjectionWait.Applied, await context.Database.WaitForProjectionAsync<OrderView>(TimeSpan.Zero));
    }

    private static Task<T> OutsideAsync<T>(Func<Task<T>> work)
    {
        using (ExecutionContext.SuppressFlow())
        {
            return Task.Run(work);
        }
    }
}
