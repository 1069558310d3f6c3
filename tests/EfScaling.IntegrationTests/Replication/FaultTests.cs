using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Replication;

/// <summary>What happens when servers are wrong, late or gone: a right answer or a clear error, and nothing hangs.</summary>
public sealed class FaultTests(ClusterFixture fixture)
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Without_a_reachable_replica_the_primary_serves()
    {
        await using var gone = await TcpProxy.StartAsync("127.0.0.1", fixture.Cluster.Standbys[0].Port);
        await gone.CutAsync();
        var options = Options(fixture.Cluster, At(fixture.Cluster.Standbys[0], gone.Port));

        await Eventually.ThatAsync(async () => await ReasonAsync(options) == RoutingReason.ReplicasUnavailable, _deadline, "the replica is known to be unreachable");

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
        await Eventually.ThatAsync(async () => await ReasonAsync(options) == RoutingReason.ReplicasUnavailable, _deadline, "the replica is known to be unreachable");

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
            _deadline,
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

    [Fact]
    public async Task Paused_replicas_stop_serving_within_their_limit_and_return_when_they_have_caught_up()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var limit = TimeSpan.FromSeconds(1);
        var options = Options(cluster, cluster.Standbys[0].ConnectionString, r => r.MaxStaleness(limit).ProbeInterval(TimeSpan.FromMilliseconds(50)));
        await ServesAsync(options);

        await cluster.Standbys[0].PauseReplayAsync();
        var paused = TimeProvider.System.GetTimestamp();
        await Eventually.ThatAsync(
            async () =>
            {
                await cluster.Primary.ExecuteAsync("UPDATE \"Blogs\" SET \"Name\" = clock_timestamp()::text WHERE \"Id\" = 1");
                await using var context = new BlogContext(options);
                await context.Blogs.CountAsync();
                var decision = context.Database.LastRouting()!.Value;
                Assert.True(
                    decision.Role == NodeRole.Primary || TimeProvider.System.GetElapsedTime(paused) < limit + TimeSpan.FromSeconds(1),
                    "The replica served long after its data had become too old.");
                Assert.InRange(decision.StalenessBound, TimeSpan.Zero, limit);
                return decision.Reason == RoutingReason.ReplicasTooStale;
            },
            _deadline,
            "the paused replica stops serving");

        await cluster.Standbys[0].ResumeReplayAsync();
        await ServesAsync(options);
    }

    [Fact]
    public async Task Idle_cluster_keeps_its_replicas_fresh_also_right_behind_a_page_header()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var options = Options(cluster, cluster.Standbys[0].ConnectionString, r => r.MaxStaleness(TimeSpan.FromSeconds(1)));
        await ServesAsync(options);

        // The insert position now stands behind the header of a new segment, where replay cannot follow until something is written.
        await cluster.Primary.ExecuteAsync("SELECT pg_switch_wal()");
        var started = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(3))
        {
            Assert.Equal(RoutingReason.FreshReplica, await ReasonAsync(options));
        }
    }

    [Fact]
    public async Task Wrong_password_on_one_replica_excludes_it_and_is_logged_once()
    {
        var log = new EventLog();
        var wrong = new NpgsqlConnectionStringBuilder(fixture.Cluster.Standbys[0].ConnectionString) { Password = "not the password" }.ConnectionString;
        var options = Options(fixture.Cluster, wrong, r => r.AddReplica(fixture.Cluster.Standbys[1].ConnectionString), log);
        await ServesAsync(options);

        for (var i = 0; i < 200; i++)
        {
            await using var context = new BlogContext(options);
            await context.Blogs.CountAsync();
            Assert.Equal($"127.0.0.1:{fixture.Cluster.Standbys[1].Port}", context.Database.LastRouting()!.Value.Node);
        }

        Assert.Single(log.Events, e => e.Id == EfScalingEventId.NodeUnreachable && e.Message.Contains("28P01", StringComparison.Ordinal));
        Assert.DoesNotContain(log.Events, e => e.Message.Contains("not the password", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Replica_of_another_cluster_is_refused_by_name()
    {
        await using var other = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(other);
        var log = new EventLog();
        var options = Options(fixture.Cluster, other.Standbys[0].ConnectionString, r => r.AddReplica(fixture.Cluster.Standbys[1].ConnectionString), log);
        await ServesAsync(options);
        await Eventually.ThatAsync(() => log.Count(EfScalingEventId.NodeOfAnotherCluster) > 0, _deadline, "the foreign replica is named");

        for (var i = 0; i < 100; i++)
        {
            await using var context = new BlogContext(options);
            await context.Blogs.CountAsync();
            Assert.Equal($"127.0.0.1:{fixture.Cluster.Standbys[1].Port}", context.Database.LastRouting()!.Value.Node);
        }

        Assert.Equal(1, log.Count(EfScalingEventId.NodeOfAnotherCluster));
        Assert.Contains($"127.0.0.1:{other.Standbys[0].Port}", log.Events.Single(e => e.Id == EfScalingEventId.NodeOfAnotherCluster).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replica_string_that_points_to_the_primary_is_refused()
    {
        var same = Options(fixture.Cluster, fixture.Cluster.Primary.ConnectionString);
        await using var context = new BlogContext(same);
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Blogs.CountAsync());
        Assert.Contains("Remove that AddReplica call", refusal.Message, StringComparison.Ordinal);

        // Under another name only the server itself can tell.
        var log = new EventLog();
        var alias = new NpgsqlConnectionStringBuilder(fixture.Cluster.Primary.ConnectionString) { Host = "localhost" }.ConnectionString;
        var options = Options(fixture.Cluster, alias, log: log);
        await ReasonAsync(options);
        await Eventually.ThatAsync(() => log.Count(EfScalingEventId.ReplicaIsWritable) == 1, _deadline, "the primary is recognised");
        await Eventually.ThatAsync(async () => await ReasonAsync(options) == RoutingReason.ReplicasUnavailable, _deadline, "no replica is left");
    }

    [Fact]
    public async Task Standby_in_UseNpgsql_is_named_and_its_writes_fail_clearly()
    {
        var log = new EventLog();
        var options = new DbContextOptionsBuilder<BlogContext>()
            .UseNpgsql(fixture.Cluster.Standbys[0].ConnectionString)
            .UseReadReplicas(r => r.AddReplica(fixture.Cluster.Standbys[1].ConnectionString))
            .UseLoggerFactory(log)
            .Options;
        await ReasonAsync(options);
        await Eventually.ThatAsync(() => log.Count(EfScalingEventId.PrimaryIsReadOnly) == 1, _deadline, "the mistake is named");

        await using var context = new BlogContext(options);
        context.Notes.Add(new Note { Text = "refused" });
        var failure = await Assert.ThrowsAsync<DbUpdateException>(() => context.SaveChangesAsync());
        Assert.Equal(PostgresErrorCodes.ReadOnlySqlTransaction, ((PostgresException)failure.InnerException!).SqlState);
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
        await Eventually.ThatAsync(async () => (await NodesAsync(options, 50)).Count == 2, _deadline, "both replicas serve");

        await cluster.Standbys[0].KillAsync();
        await Eventually.ThatAsync(
            async () => (await NodesAsync(options, 50)).SetEquals([$"127.0.0.1:{cluster.Standbys[1].Port}"]), _deadline, "the other replica serves everything");

        await stop.CancelAsync();
        Assert.All(await Task.WhenAll(readers), reads => Assert.True(reads > 0));
        Assert.InRange(log.Count(EfScalingEventId.ReadMovedOn), 0, 20);

        await cluster.Standbys[0].StartAsync();
        await Eventually.ThatAsync(async () => (await NodesAsync(options, 50)).Count == 2, _deadline, "the replica serves again");
    }

    [Fact]
    public async Task Hung_replica_is_left_alone_after_its_first_missed_probe()
    {
        await using var proxy = await TcpProxy.StartAsync("127.0.0.1", fixture.Cluster.Standbys[0].Port);
        var options = Options(fixture.Cluster, At(fixture.Cluster.Standbys[0], proxy.Port), r => r.AddReplica(fixture.Cluster.Standbys[1].ConnectionString).ReadTimeout(TimeSpan.FromSeconds(1)).Balancing(LoadBalancing.RoundRobin));
        await Eventually.ThatAsync(async () => (await NodesAsync(options, 50)).Count == 2, _deadline, "both replicas serve");

        proxy.HalfOpen();
        await Eventually.ThatAsync(
            async () => (await NodesAsync(options, 50)).SetEquals([$"127.0.0.1:{fixture.Cluster.Standbys[1].Port}"]), _deadline, "the other replica serves everything");

        var started = TimeProvider.System.GetTimestamp();
        await NodesAsync(options, 50);
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task Recovery_conflict_moves_on_without_harm_to_the_replica()
    {
        await using var cluster = await PostgresCluster.StartAsync(
            new PostgresClusterOptions { Standbys = 1, Settings = new Dictionary<string, string> { ["max_standby_streaming_delay"] = "100ms" } });
        await BlogContext.CreateSchemaAsync(cluster);
        var log = new EventLog();
        var options = Options(cluster, cluster.Standbys[0].ConnectionString, log: log);
        await ServesAsync(options);

        await using var context = new BlogContext(options);
        var reading = context.Blogs.Select(b => BlogContext.Slow(2)).FirstAsync();
        await Eventually.ThatAsync(
            async () => await cluster.Standbys[0].ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%slow%' AND state = 'active' AND pid <> pg_backend_pid()") > 0,
            _deadline,
            "the read is under way");
        await cluster.Primary.ExecuteAsync("ALTER TABLE \"Blogs\" ADD COLUMN IF NOT EXISTS conflict int");

        Assert.Equal(2, await reading);
        Assert.Equal(NodeRole.Primary, context.Database.LastRouting()!.Value.Role);
        Assert.Equal(2, context.Database.LastRouting()!.Value.Attempts);
        Assert.Equal(1, log.Count(EfScalingEventId.ReadMovedOn));
        Assert.Equal(0, log.Count(EfScalingEventId.NodeBanned));
        await ServesAsync(options);
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
        await Eventually.ThatAsync(async () => await ReasonAsync(options) == RoutingReason.ReplicasUnavailable, _deadline, "the promoted standby is left alone");
        await cluster.Standbys[0].ExecuteAsync("DELETE FROM \"PostTag\"; DELETE FROM \"Posts\"; DELETE FROM \"Blogs\"");

        for (var i = 0; i < 50; i++)
        {
            await using var context = new BlogContext(options);
            Assert.Equal(3, await context.Blogs.CountAsync());
        }

        await Eventually.ThatAsync(() => log.Count(EfScalingEventId.ReplicaIsWritable) == 1, _deadline, "the promotion is named");
    }

    [Fact]
    public async Task Reads_beyond_the_connections_of_a_replica_take_another_node_and_fail_none()
    {
        var options = Options(
            fixture.Cluster,
            fixture.Cluster.Standbys[0].ConnectionString,
            r => r.AddReplica(fixture.Cluster.Standbys[1].ConnectionString).MaxConnections(2).ConnectTimeout(TimeSpan.FromSeconds(1)));
        await Eventually.ThatAsync(async () => (await NodesAsync(options, 50)).Count == 2, _deadline, "both replicas serve");

        // Four connections for twelve reads of two seconds: the queue is longer than the time a read may wait in it, so the primary must help out.
        var reads = await Task.WhenAll(Enumerable.Range(0, 12).Select(async _ =>
        {
            await using var context = new BlogContext(options);
            Assert.Equal(2, await context.Blogs.Select(b => BlogContext.Slow(2)).FirstAsync());
            return context.Database.LastRouting()!.Value;
        }));

        Assert.Contains(reads, r => r.Role == NodeRole.Primary);
        Assert.Equal(2, reads.Where(r => r.Role == NodeRole.Replica).Select(r => r.Node).Distinct().Count());
        Assert.Equal(RoutingReason.FreshReplica, await ReasonAsync(options));
    }

    [Fact]
    public async Task Error_of_the_query_itself_reaches_the_caller_from_the_first_node()
    {
        var log = new EventLog();
        var options = Options(fixture.Cluster, fixture.Cluster.Standbys[0].ConnectionString, log: log);
        await ServesAsync(options);
        await using var context = new BlogContext(options);

        var failure = await Assert.ThrowsAnyAsync<Exception>(() => context.Blogs.Select(b => 1 / (b.Id - 1)).ToListAsync());

        Assert.Equal(PostgresErrorCodes.DivisionByZero, ((PostgresException)failure.GetBaseException()).SqlState);
        Assert.Equal(0, log.Count(EfScalingEventId.ReadMovedOn));
        Assert.Equal(0, log.Count(EfScalingEventId.NodeBanned));
    }

    [Fact]
    public async Task Read_that_breaks_after_its_first_row_throws_and_names_the_node()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        await cluster.Primary.ExecuteAsync("INSERT INTO \"Notes\" (\"Text\") SELECT repeat('x', 1000) FROM generate_series(1, 50000)");
        await cluster.WaitForReplicationAsync();
        var options = Options(cluster, cluster.Standbys[0].ConnectionString);
        await ServesAsync(options);
        await using var context = new BlogContext(options);

        var rows = 0;
        var failure = await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await foreach (var _ in context.Notes.AsNoTracking().AsAsyncEnumerable())
            {
                if (rows++ == 0)
                {
                    await cluster.Standbys[0].KillAsync();
                }
            }
        });

        Assert.InRange(rows, 1, 49_999);
        Assert.Equal($"127.0.0.1:{cluster.Standbys[0].Port}", NamedNode(failure));
        // The same context goes on, and with another node.
        Assert.Equal(3, await context.Blogs.CountAsync());
        Assert.Equal(NodeRole.Primary, context.Database.LastRouting()!.Value.Role);
    }

    [Fact]
    public async Task Table_that_is_unlogged_unknown_to_the_model_is_read_on_the_primary()
    {
        await fixture.Cluster.Primary.ExecuteAsync("DROP TABLE IF EXISTS unlogged; CREATE UNLOGGED TABLE unlogged (id int); INSERT INTO unlogged VALUES (1)");
        await fixture.Cluster.WaitForReplicationAsync();
        var options = Options(fixture.Cluster, fixture.Cluster.Standbys[0].ConnectionString);
        await ServesAsync(options);
        await using var context = new BlogContext(options);

        Assert.Equal([1], await context.Database.SqlQuery<int>($"SELECT id AS \"Value\" FROM unlogged").AsReplica().ToListAsync());

        Assert.Equal(RoutingReason.NeedsPrimary, context.Database.LastRouting()!.Value.Reason);
    }

    [Fact]
    public async Task Replica_string_with_another_database_of_the_cluster_is_refused()
    {
        await fixture.Cluster.Primary.ExecuteAsync("DROP DATABASE IF EXISTS other_database");
        await fixture.Cluster.Primary.ExecuteAsync("CREATE DATABASE other_database");
        await fixture.Cluster.WaitForReplicationAsync();
        var log = new EventLog();
        var options = Options(fixture.Cluster, fixture.Cluster.Standbys[0].GetConnectionString("other_database"), log: log);
        await ReasonAsync(options);

        await Eventually.ThatAsync(() => log.Count(EfScalingEventId.NodeOfAnotherCluster) == 1, _deadline, "the mistake is named");
        Assert.Equal(RoutingReason.ReplicasUnavailable, await ReasonAsync(options));
    }

    [Fact]
    public async Task Address_that_stands_for_several_servers_serves_from_none_but_the_measured_one()
    {
        await using var several = await AlternatingAddress.StartAsync(fixture.Cluster.Standbys[0].Port, fixture.Cluster.Standbys[1].Port);
        var log = new EventLog();
        var options = Options(fixture.Cluster, At(fixture.Cluster.Standbys[0], several.Port), log: log);
        var servers = new HashSet<int>();

        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = new BlogContext(options);
                var port = (await context.Database.SqlQuery<int>($"SELECT inet_server_port() AS \"Value\"").AsReplica().ToListAsync()).Single();
                if (context.Database.LastRouting()!.Value.Role == NodeRole.Replica)
                {
                    servers.Add(port);
                }

                return log.Events.Any(e => e.Id == EfScalingEventId.NodeBanned && e.Message.Contains("AnotherServer", StringComparison.Ordinal));
            },
            _deadline,
            "the address is found out");

        Assert.InRange(servers.Count, 0, 1);
    }

    [Fact]
    public async Task Table_that_a_replica_has_not_replayed_yet_is_read_on_the_primary()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var options = Options(cluster, cluster.Standbys[0].ConnectionString, r => r.MaxStaleness(TimeSpan.FromMinutes(1)));
        await ServesAsync(options);
        await cluster.Standbys[0].PauseReplayAsync();
        await cluster.Primary.ExecuteAsync("CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)");
        await using var context = new BlogContext(options);

        Assert.Equal([1], await context.Database.SqlQuery<int>($"SELECT id AS \"Value\" FROM late").AsReplica().ToListAsync());

        Assert.Equal(RoutingReason.ReplicaSchemaBehind, context.Database.LastRouting()!.Value.Reason);
    }

    [Fact]
    public async Task Ordinary_role_without_any_grant_is_enough()
    {
        await fixture.Cluster.Primary.ExecuteAsync(
            "DROP ROLE IF EXISTS ordinary; CREATE ROLE ordinary LOGIN PASSWORD 'ordinary'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO ordinary");
        await fixture.Cluster.WaitForReplicationAsync();
        var options = new DbContextOptionsBuilder<BlogContext>()
            .UseNpgsql(As(fixture.Cluster.Primary))
            .UseReadReplicas(r => r.AddReplica(As(fixture.Cluster.Standbys[0])))
            .Options;

        await ServesAsync(options);

        static string As(PostgresServer server) => new NpgsqlConnectionStringBuilder(server.ConnectionString) { Username = "ordinary", Password = "ordinary" }.ConnectionString;
    }

    private static string? NamedNode(Exception? exception) =>
        exception is null ? null : exception.Data["EfScaling.Node"] as string ?? NamedNode(exception.InnerException);

    private static DbContextOptions<BlogContext> Options(PostgresCluster cluster, string replica, Action<ReplicaOptionsBuilder>? configure = null, EventLog? log = null)
    {
        var options = new DbContextOptionsBuilder<BlogContext>().UseNpgsql(cluster.Primary.ConnectionString).UseReadReplicas(r =>
        {
            r.AddReplica(replica);
            configure?.Invoke(r);
        });
        return log is null ? options.Options : options.UseLoggerFactory(log).Options;
    }

    private static string At(PostgresServer server, int port) => new NpgsqlConnectionStringBuilder(server.ConnectionString) { Port = port }.ConnectionString;

    private static Task ServesAsync(DbContextOptions options) =>
        Eventually.ThatAsync(async () => await ReasonAsync(options) == RoutingReason.FreshReplica, _deadline, "a replica serves");

    private static async Task<RoutingReason> ReasonAsync(DbContextOptions options)
    {
        await using var context = new BlogContext(options);
        await context.Blogs.CountAsync();
        return context.Database.LastRouting()!.Value.Reason;
    }

    private static async Task<HashSet<string>> NodesAsync(DbContextOptions options, int reads)
    {
        var nodes = new HashSet<string>();
        for (var i = 0; i < reads; i++)
        {
            await using var context = new BlogContext(options);
            Assert.Equal(3, await context.Blogs.CountAsync());
            nodes.Add(context.Database.LastRouting()!.Value.Node);
        }

        return nodes;
    }
}
