using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using static EfScaling.IntegrationTests.Clusters.ReplicaReads;

namespace EfScaling.IntegrationTests.Replication;

/// <summary>What becomes of nodes that are configured wrongly, and how little a right configuration needs.</summary>
public sealed class NodeConfigurationTests(ClusterFixture fixture)
{
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
        await Eventually.ThatAsync(() => log.Count(EfScalingEventId.NodeOfAnotherCluster) > 0, Patience, "the foreign replica is named");

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
        await Eventually.ThatAsync(() => log.Count(EfScalingEventId.ReplicaIsWritable) == 1, Patience, "the primary is recognised");
        await Eventually.ThatAsync(async () => await ReasonAsync(options) == RoutingReason.ReplicasUnavailable, Patience, "no replica is left");
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
        await Eventually.ThatAsync(() => log.Count(EfScalingEventId.PrimaryIsReadOnly) == 1, Patience, "the mistake is named");

        await using var context = new BlogContext(options);
        context.Notes.Add(new Note { Text = "refused" });
        var failure = await Assert.ThrowsAsync<DbUpdateException>(() => context.SaveChangesAsync());
        Assert.Equal(PostgresErrorCodes.ReadOnlySqlTransaction, ((PostgresException)failure.InnerException!).SqlState);
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

        await Eventually.ThatAsync(() => log.Count(EfScalingEventId.NodeOfAnotherCluster) == 1, Patience, "the mistake is named");
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
            Patience,
            "the address is found out");

        Assert.InRange(servers.Count, 0, 1);
    }

    [Fact]
    public async Task Any_number_of_settings_over_one_replica_are_measured_at_the_same_time()
    {
        var started = TimeProvider.System.GetTimestamp();
        var settings = Enumerable.Range(1, 8).Select(i => Options(fixture.Cluster, fixture.Cluster.Standbys[0].ConnectionString, r => r.RampUp(TimeSpan.FromSeconds(100 + i))));

        await Task.WhenAll(settings.Select(ServesAsync));

        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(8));
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
}
