using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using static EfScaling.IntegrationTests.Clusters.ReplicaReads;

namespace EfScaling.IntegrationTests.Consistency;

/// <summary>A replica behind PgBouncer in transaction mode, where each transaction may run in another session.</summary>
public sealed class PoolerTests(ClusterFixture fixture)
{
    [Theory]
    [InlineData(false)] // refuses settings of a session
    [InlineData(true)] // swallows them
    public async Task Replica_behind_a_pooler_serves_guarded_reads(bool ignoresOptions)
    {
        await using var bouncer = await PgBouncer.StartAsync(fixture.Cluster.Standbys[0], ignoresOptions);
        var log = new EventLog();
        var options = Options(fixture.Cluster, bouncer.ConnectionStringOf(fixture.Cluster.Standbys[0]), r => r.CatchUpWait(Patience / 4), log);
        await ServesAsync(options);
        Assert.Equal(ignoresOptions ? 0 : 1, log.Count(EfScalingEventId.NodeBehindPooler));
        Assert.Equal(0, log.Count(EfScalingEventId.NodeUnreachable));

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async worker =>
        {
            for (var round = 0; round < 20; round++)
            {
                await using var context = new BlogContext(options);
                var marker = Guid.NewGuid().ToString();
                context.Notes.AddRange(new Note { Text = marker }, new Note { Text = marker });
                await context.SaveChangesAsync();
                Assert.Equal(2, await context.Notes.CountAsync(n => n.Text == marker));
                Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
                Assert.Equal(3, (await context.Blogs.AsNoTracking().Include(b => b.Posts).AsSplitQuery().ToListAsync()).Count);
                Assert.Equal(3, context.Blogs.Where(b => b.Id > 0).ToList().Count);
            }
        }));

        // No session of the pooler was changed for whoever gets it next.
        Assert.Equal("off", await ReadOnlySettingAsync(bouncer));
    }

    [Fact]
    public async Task Standby_promoted_behind_its_pooler_serves_no_more()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        await using var bouncer = await PgBouncer.StartAsync(cluster.Standbys[0], ignoresOptions: true);
        var options = Options(cluster, bouncer.ConnectionStringOf(cluster.Standbys[0]), r => r.ProbeInterval(TimeSpan.FromSeconds(2)).MaxStaleness(TimeSpan.FromSeconds(30)));
        await ServesAsync(options);

        await cluster.Standbys[0].PromoteAsync();
        await cluster.Standbys[0].ExecuteAsync("DELETE FROM \"PostTag\"; DELETE FROM \"Posts\"; DELETE FROM \"Blogs\"");

        // Before any probe: the guard in front of each query finds out.
        await using var context = new BlogContext(options);
        Assert.Equal(3, await context.Blogs.CountAsync());
        Assert.Equal(NodeRole.Primary, context.Database.LastRouting()!.Value.Role);
    }

    [Fact]
    public async Task Snapshot_holds_through_a_pooler()
    {
        await using var bouncer = await PgBouncer.StartAsync(fixture.Cluster.Standbys[0], ignoresOptions: false);
        var options = Options(fixture.Cluster, bouncer.ConnectionStringOf(fixture.Cluster.Standbys[0]));
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        var marker = Guid.NewGuid().ToString();

        await using var snapshot = await context.Database.BeginReplicaSnapshotAsync();
        for (var round = 0; round < 3; round++)
        {
            Assert.Equal(0, await context.Notes.CountAsync(n => n.Text == marker));
            Assert.Equal(RoutingReason.Snapshot, context.Database.LastRouting()!.Value.Reason);
            await fixture.Cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") VALUES ('{marker}')");
            await fixture.Cluster.WaitForReplicationAsync();
        }
    }

    private async Task<string?> ReadOnlySettingAsync(PgBouncer bouncer)
    {
        await using var connection = new Npgsql.NpgsqlConnection(bouncer.ConnectionStringOf(fixture.Cluster.Standbys[0]) + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "SHOW default_transaction_read_only";
        return (string?)await command.ExecuteScalarAsync();
    }
}
