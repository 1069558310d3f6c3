using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using static EfScaling.IntegrationTests.Clusters.ReplicaReads;

namespace EfScaling.IntegrationTests.Replication;

/// <summary>Nodes that are gone, hang, come back or change their role: reads go on elsewhere or fail with a clear error, and nothing hangs.</summary>
public sealed class NodeFailureTests(ClusterFixture fixture)
{
    [Fact]
    public async Task Without_a_reachable_replica_the_primary_serves()
    {
        await using var gone = await TcpProxy.StartAsync("127.0.0.1", fixture.Cluster.Standbys[0].Port);
        await gone.CutAsync();
        var options = Options(fixture.Cluster, At(fixture.Cluster.Standbys[0], gone.Port));

        await Eventually.ThatAsync(async () => await ReasonAsync(options) == RoutingReason.ReplicasUnavailable, Patience, "the replica is known to be unreachable");

        await using var context = new BlogContext(options);
        Assert.Equal(3, await context.Blogs.CountAsync());
        Assert.Equal(RoutingReason.ReplicasUnavailable, context.Database.LastRouting()!.Value.Reason);
    }

    [Fact]
    public async Task Replica_that_comes_back_serves_again()
    {
        await using var proxy = await TcpProxy.StartAsync("127.0.0.1", fixture.Cluster.Standbys[0].Port);
        var options = Options(fixture.Cluster, At(fixture.Cluster.Standbys[0], proxy.Port));
        await ServesAsync(options);
        await proxy.CutAsync();
        await Eventually.ThatAsync(async () => await ReasonAsync(options) == RoutingReason.ReplicasUnavailable, Patience, "the replica is known to be unreachable");

        proxy.Restore();

        await ServesAsync(options);
    }

    [Fact]
    public async Task Beyond_the_fallback_budget_reads_fail_and_name_every_node_with_its_reason()
    {
        await using var gone = await TcpProxy.StartAsync("127.0.0.1", fixture.Cluster.Standbys[0].Port);
        await gone.CutAsync();
        var replica = At(fixture.Cluster.Standbys[0], gone.Port);
        var options = Options(fixture.Cluster, replica, r => r.FallbackBudget(0));

        NoEligibleNodeException? refusal = null;
        await Eventually.ThatAsync(
            async () =>
            {
                refusal = await Record.ExceptionAsync(() => ReasonAsync(options)) as NoEligibleNodeException;
                return refusal is not null;
            },
            Patience,
            "the read is refused");

        Assert.StartsWith("Unreachable", refusal!.Reasons[$"127.0.0.1:{gone.Port}"], StringComparison.Ordinal);
        Assert.Contains($"127.0.0.1:{gone.Port}", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("AsPrimary()", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(new NpgsqlConnectionStringBuilder(replica).Password!, refusal.ToString(), StringComparison.Ordinal);

        await using var context = new BlogContext(options);
        Assert.Equal(3, await context.Blogs.AsPrimary().CountAsync());
        context.Notes.Add(new Note { Text = "writes go on" });
        Assert.Equal(1, await context.SaveChangesAsync());
        Assert.True(await context.Notes.AsPrimary().AnyAsync());
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public async Task With_every_server_gone_the_error_names_them_all_and_a_retrying_strategy_goes_on_as_before(bool isAsync, bool isRetrying)
    {
        await using var primary = await TcpProxy.StartAsync("127.0.0.1", fixture.Cluster.Primary.Port);
        await using var standby = await TcpProxy.StartAsync("127.0.0.1", fixture.Cluster.Standbys[0].Port);
        var options = new DbContextOptionsBuilder<BlogContext>()
            .UseNpgsql(At(fixture.Cluster.Primary, primary.Port), o => _ = isRetrying ? o.EnableRetryOnFailure(1, TimeSpan.FromMilliseconds(10), null) : o)
            .UseReadReplicas(r => r.AddReplica(At(fixture.Cluster.Standbys[0], standby.Port)))
            .Options;
        await ServesAsync(options);
        await primary.CutAsync();
        await standby.CutAsync();

        Exception? failure = null;
        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = new BlogContext(options);
                failure = await Record.ExceptionAsync(async () => _ = isAsync ? await context.Blogs.CountAsync() : context.Blogs.Count());
                return failure is not null && (isRetrying || failure.Message.Contains($"127.0.0.1:{standby.Port}' Unreachable", StringComparison.Ordinal));
            },
            Patience,
            "the read fails");

        if (isRetrying)
        {
            Assert.IsType<Microsoft.EntityFrameworkCore.Storage.RetryLimitExceededException>(failure);
            return;
        }

        var refusal = Assert.IsType<NoEligibleNodeException>(failure);
        Assert.Equal(2, refusal.Reasons.Count);
        Assert.Contains($"127.0.0.1:{standby.Port}' Unreachable", refusal.Message, StringComparison.Ordinal);
        Assert.Contains($"the primary '127.0.0.1:{primary.Port}' cannot be reached", refusal.Message, StringComparison.Ordinal);
        Assert.IsType<NpgsqlException>(refusal.InnerException);
    }

    [Fact]
    public async Task Stopped_replica_fails_no_read_and_is_asked_no_more()
    {
        await using var cluster = await PostgresCluster.StartAsync();
        await BlogContext.CreateSchemaAsync(cluster);
        var log = new EventLog();
        var options = Options(cluster, cluster.Standbys[0].ConnectionString, r => r.AddReplica(cluster.Standbys[1].ConnectionString), log);
        await ServesAsync(options);

        using var stop = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            var reads = 0;
            while (!stop.IsCancellationRequested)
            {
                await using var context = new BlogContext(options);
                Assert.Equal(3, await context.Blogs.CountAsync());
                reads++;
            }

            return reads;
        })).ToArray();
        await Eventually.ThatAsync(async () => (await NodesAsync(options, 50)).Count == 2, Patience, "both replicas serve");

        await cluster.Standbys[0].KillAsync();
        await Eventually.ThatAsync(
            async () => (await NodesAsync(options, 50)).SetEquals([$"127.0.0.1:{cluster.Standbys[1].Port}"]), Patience, "the other replica serves everything");

        await stop.CancelAsync();
        Assert.All(await Task.WhenAll(readers), reads => Assert.True(reads > 0));
        Assert.InRange(log.Count(EfScalingEventId.ReadMovedOn), 0, 20);

        await cluster.Standbys[0].StartAsync();
        await Eventually.ThatAsync(async () => (await NodesAsync(options, 50)).Count == 2, Patience, "the replica serves again");
    }

    [Fact]
    public async Task Hung_replica_is_left_alone_after_its_first_missed_probe()
    {
        await using var proxy = await TcpProxy.StartAsync("127.0.0.1", fixture.Cluster.Standbys[0].Port);
        var options = Options(fixture.Cluster, At(fixture.Cluster.Standbys[0], proxy.Port), r => r.AddReplica(fixture.Cluster.Standbys[1].ConnectionString).ReadTimeout(TimeSpan.FromSeconds(1)).Balancing(LoadBalancing.RoundRobin));
        await Eventually.ThatAsync(async () => (await NodesAsync(options, 50)).Count == 2, Patience, "both replicas serve");

        proxy.HalfOpen();
        await Eventually.ThatAsync(
            async () => (await NodesAsync(options, 50)).SetEquals([$"127.0.0.1:{fixture.Cluster.Standbys[1].Port}"]), Patience, "the other replica serves everything");

        var started = TimeProvider.System.GetTimestamp();
        await NodesAsync(options, 50);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task Standby_promoted_while_its_connections_are_pooled_serves_no_more()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var log = new EventLog();
        var options = Options(cluster, cluster.Standbys[0].ConnectionString, log: log);
        await ServesAsync(options);
        await NodesAsync(options, 20);

        await cluster.Standbys[0].PromoteAsync();
        await Eventually.ThatAsync(async () => await ReasonAsync(options) == RoutingReason.ReplicasUnavailable, Patience, "the promoted standby is left alone");
        await cluster.Standbys[0].ExecuteAsync("DELETE FROM \"PostTag\"; DELETE FROM \"Posts\"; DELETE FROM \"Blogs\"");

        for (var i = 0; i < 50; i++)
        {
            await using var context = new BlogContext(options);
            Assert.Equal(3, await context.Blogs.CountAsync());
        }

        await Eventually.ThatAsync(() => log.Count(EfScalingEventId.ReplicaIsWritable) == 1, Patience, "the promotion is named");
    }

    [Fact]
    public async Task Connection_to_the_server_that_an_address_led_to_before_serves_no_more()
    {
        await using var cluster = await PostgresCluster.StartAsync();
        await BlogContext.CreateSchemaAsync(cluster);
        var (before, after) = (cluster.Standbys[0], cluster.Standbys[1]);
        var port = before.Port;
        await using var address = await AlternatingAddress.StartAsync(() => port);
        var options = Options(cluster, At(before, address.Port), r => r.MaxStaleness(TimeSpan.FromSeconds(1)));
        await ServesAsync(options);

        // The pool keeps its connection to the first server, which stands still, while the probe finds itself on the other one.
        port = after.Port;
        await before.PauseReplayAsync();
        await before.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'WITH node AS MATERIALIZED%' AND pid <> pg_backend_pid()");
        await cluster.Primary.ExecuteAsync("INSERT INTO \"Notes\" (\"Text\") VALUES ('new'); SELECT pg_sleep(2)");

        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = new BlogContext(options);
                Assert.True(await context.Notes.AnyAsync(), $"A row older than the limit is missing: {context.Database.LastRouting()}.");
                return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
            },
            Patience,
            "the other server serves");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Hung_replica_given_as_a_data_source_holds_a_read_up_no_longer_than_its_timeout(bool isAsync)
    {
        await using var proxy = await TcpProxy.StartAsync("127.0.0.1", fixture.Cluster.Standbys[0].Port);
        await using var replica = NpgsqlDataSource.Create(At(fixture.Cluster.Standbys[0], proxy.Port) + ";Timeout=2");
        var options = new DbContextOptionsBuilder<BlogContext>()
            .UseNpgsql(fixture.Cluster.Primary.ConnectionString)
            .UseReadReplicas(r => r.AddReplica(replica).ReadTimeout(TimeSpan.FromSeconds(1)))
            .Options;
        await ServesAsync(options);

        proxy.HalfOpen();
        var started = TimeProvider.System.GetTimestamp();
        await using var context = new BlogContext(options);
        Assert.Equal(3, isAsync ? await context.Blogs.CountAsync() : context.Blogs.Count());

        Assert.Equal(2, context.Database.LastRouting()!.Value.Attempts);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }
}
