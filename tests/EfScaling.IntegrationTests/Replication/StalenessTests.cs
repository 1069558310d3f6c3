using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using static EfScaling.IntegrationTests.Clusters.ReplicaReads;

namespace EfScaling.IntegrationTests.Replication;

/// <summary>How old the data of a replica may be while it serves.</summary>
public sealed class StalenessTests
{
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
            Patience,
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
    public async Task Clocks_of_the_servers_play_no_part()
    {
        await using var cluster = await PostgresCluster.StartAsync();
        await BlogContext.CreateSchemaAsync(cluster);
        await cluster.Standbys[0].SetClockOffsetAsync(TimeSpan.FromHours(2));
        await cluster.Standbys[1].SetClockOffsetAsync(TimeSpan.FromHours(-2));
        var skew = await cluster.Standbys[0].ScalarAsync<DateTime>("SELECT clock_timestamp()") - await cluster.Standbys[1].ScalarAsync<DateTime>("SELECT clock_timestamp()");
        Assert.InRange(skew, TimeSpan.FromHours(3.9), TimeSpan.FromHours(4.1));

        var limit = TimeSpan.FromSeconds(1);
        var options = Options(cluster, cluster.Standbys[0].ConnectionString, r => r.AddReplica(cluster.Standbys[1].ConnectionString).MaxStaleness(limit));
        await Eventually.ThatAsync(async () => (await NodesAsync(options, 50)).Count == 2, Patience, "both replicas serve");
        for (var round = 0; round < 20; round++)
        {
            await using var context = new BlogContext(options);
            var marker = Guid.NewGuid().ToString();
            context.Notes.AddRange(new Note { Text = marker }, new Note { Text = marker });
            await context.SaveChangesAsync();
            Assert.Equal(2, await context.Notes.CountAsync(n => n.Text == marker));
            Assert.InRange(context.Database.LastRouting()!.Value.StalenessBound, TimeSpan.Zero, limit);
        }

        foreach (var standby in cluster.Standbys)
        {
            await standby.PauseReplayAsync();
        }

        await Eventually.ThatAsync(
            async () =>
            {
                await cluster.Primary.ExecuteAsync("UPDATE \"Blogs\" SET \"Name\" = clock_timestamp()::text WHERE \"Id\" = 1");
                return await ReasonAsync(options) == RoutingReason.ReplicasTooStale;
            },
            Patience,
            "the paused replicas stop serving");
    }
}
