using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using static EfScaling.IntegrationTests.Clusters.ReplicaReads;

namespace EfScaling.IntegrationTests.Replication;

/// <summary>Reads that fail on a node: they move on where that helps, and otherwise the caller gets the right error.</summary>
public sealed class ReadFailureTests(ClusterFixture fixture)
{
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
            Patience,
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
    public async Task Reads_beyond_the_connections_of_a_replica_take_another_node_and_fail_none()
    {
        var options = Options(
            fixture.Cluster,
            fixture.Cluster.Standbys[0].ConnectionString,
            r => r.AddReplica(fixture.Cluster.Standbys[1].ConnectionString).MaxConnections(2).ConnectTimeout(TimeSpan.FromSeconds(1)));
        await Eventually.ThatAsync(async () => (await NodesAsync(options, 50)).Count == 2, Patience, "both replicas serve");

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
    public async Task Session_that_the_server_ended_for_idleness_fails_no_read()
    {
        var impatient = new NpgsqlConnectionStringBuilder(fixture.Cluster.Standbys[0].ConnectionString) { Options = "-c idle_session_timeout=800ms" }.ConnectionString;
        var log = new EventLog();
        var options = Options(fixture.Cluster, impatient, log: log);
        await ServesAsync(options);

        await fixture.Cluster.Primary.ExecuteAsync("SELECT pg_sleep(2)");
        await ReasonAsync(options);

        await ServesAsync(options);
        Assert.Equal(0, log.Count(EfScalingEventId.NodeBanned));
    }

    [Fact]
    public async Task Reads_beyond_the_connections_of_a_data_source_do_no_harm_to_the_replica()
    {
        await using var replica = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(fixture.Cluster.Standbys[0].ConnectionString) { MaxPoolSize = 3, Timeout = 1 }.ConnectionString);
        var log = new EventLog();
        var options = new DbContextOptionsBuilder<BlogContext>()
            .UseNpgsql(fixture.Cluster.Primary.ConnectionString)
            .UseReadReplicas(r => r.AddReplica(replica))
            .UseLoggerFactory(log)
            .Options;
        await ServesAsync(options);

        // The probe holds one of the three connections.
        await Task.WhenAll(Enumerable.Range(0, 3).Select(async _ =>
        {
            await using var context = new BlogContext(options);
            Assert.Equal(3, await context.Blogs.Select(b => BlogContext.Slow(3)).FirstAsync());
        }));

        Assert.Equal(0, log.Count(EfScalingEventId.NodeBanned));
    }

    private static string? NamedNode(Exception? exception) =>
        exception is null ? null : exception.Data["EfScaling.Node"] as string ?? NamedNode(exception.InnerException);
}
