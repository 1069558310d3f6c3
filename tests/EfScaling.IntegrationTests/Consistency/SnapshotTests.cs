using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using static EfScaling.IntegrationTests.Clusters.ReplicaReads;

namespace EfScaling.IntegrationTests.Consistency;

/// <summary>Inside a snapshot every query sees the same moment on the same node, and nothing is written.</summary>
public sealed class SnapshotTests(ClusterFixture fixture)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task All_queries_see_one_moment_on_one_replica(bool isAsync)
    {
        await using var context = await ContextAsync();
        var marker = Guid.NewGuid().ToString();
        var query = context.Notes.Where(n => n.Text == marker);
        await fixture.Cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") VALUES ('{marker}')");
        await fixture.Cluster.WaitForReplicationAsync();
        var nodes = new HashSet<string>();

        var snapshot = isAsync ? await context.Database.BeginReplicaSnapshotAsync() : context.Database.BeginReplicaSnapshot();
        Assert.Equal(NodeRole.Replica, snapshot.Routing.Role);
        for (var round = 0; round < 3; round++)
        {
            await fixture.Cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") VALUES ('{marker}')");
            await fixture.Cluster.WaitForReplicationAsync();
            Assert.Equal(1, isAsync ? await query.CountAsync() : query.Count());
            Assert.Single(isAsync ? await query.AsNoTracking().ToListAsync() : [.. query.AsNoTracking()]);
            Assert.Equal(3, (await context.Blogs.Include(b => b.Posts).AsSplitQuery().ToListAsync()).Count);
            Assert.Single(await context.Database.SqlQuery<int>($"SELECT count(*)::int AS \"Value\" FROM \"Notes\" WHERE \"Text\" = {marker}").ToListAsync(), 1);
            Assert.Equal(RoutingReason.Snapshot, context.Database.LastRouting()!.Value.Reason);
            nodes.Add(context.Database.LastRouting()!.Value.Node);
        }

        Assert.Equal(snapshot.Routing.Node, Assert.Single(nodes));
        if (isAsync)
        {
            await snapshot.DisposeAsync();
            await snapshot.DisposeAsync();
        }
        else
        {
            snapshot.Dispose();
            snapshot.Dispose();
        }

        Assert.Equal(4, await query.CountAsync());
        Assert.NotEqual(RoutingReason.Snapshot, context.Database.LastRouting()!.Value.Reason);
    }

    [Fact]
    public async Task Snapshot_shows_what_its_context_has_written()
    {
        await using var context = await ContextAsync();
        var marker = Guid.NewGuid().ToString();
        context.Notes.AddRange(new Note { Text = marker }, new Note { Text = marker });
        await context.SaveChangesAsync();

        await using var snapshot = await context.Database.BeginReplicaSnapshotAsync();

        Assert.Equal(2, await context.Notes.CountAsync(n => n.Text == marker));
    }

    [Fact]
    public async Task Writes_and_transactions_are_refused_and_possible_again_afterwards()
    {
        await using var context = await ContextAsync();
        context.Notes.Add(new Note { Text = "later" });
        await using (await context.Database.BeginReplicaSnapshotAsync())
        {
            await RefusedAsync(() => context.SaveChangesAsync());
            await RefusedAsync(() => Task.FromResult(context.SaveChanges()));
            await RefusedAsync(() => context.Notes.Where(n => n.Id < 0).ExecuteDeleteAsync());
            await RefusedAsync(() => context.Notes.Where(n => n.Id < 0).ExecuteUpdateAsync(s => s.SetProperty(n => n.Text, "changed")));
            await RefusedAsync(() => context.Database.ExecuteSqlAsync($"DELETE FROM \"Notes\" WHERE \"Id\" < 0"));
            await RefusedAsync(() => context.Database.BeginTransactionAsync());
            await RefusedAsync(() => context.Database.BeginReplicaSnapshotAsync(), "another one is open");

            // What hides a write in a query fails on the server, which is read-only.
            await Assert.ThrowsAnyAsync<Exception>(() => context.Database.SqlQuery<int>($"DELETE FROM \"Notes\" RETURNING \"Id\" AS \"Value\"").ToListAsync());
        }

        Assert.Equal(1, await context.SaveChangesAsync());
    }

    [Fact]
    public async Task Queries_that_replicas_cannot_answer_are_refused_with_the_way_out_and_AsPrimary_leaves_the_snapshot()
    {
        await using var context = await ContextAsync();
        await using var snapshot = await context.Database.BeginReplicaSnapshotAsync();

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Scratches.CountAsync());
        Assert.Contains("AsPrimary()", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(3, await context.Blogs.AsPrimary().CountAsync());
        Assert.Equal(NodeRole.Primary, context.Database.LastRouting()!.Value.Role);
        Assert.Equal(3, await context.Blogs.CountAsync());
        Assert.Equal(RoutingReason.Snapshot, context.Database.LastRouting()!.Value.Reason);
    }

    [Fact]
    public async Task Snapshot_is_refused_inside_a_transaction_and_on_an_open_connection()
    {
        await using var context = await ContextAsync();
        await using (await context.Database.BeginTransactionAsync())
        {
            await RefusedAsync(() => context.Database.BeginReplicaSnapshotAsync(), "a transaction is open");
        }

        await context.Database.OpenConnectionAsync();
        await RefusedAsync(() => context.Database.BeginReplicaSnapshotAsync(), "the context's connection is open");
        await context.Database.CloseConnectionAsync();
        await using var snapshot = await context.Database.BeginReplicaSnapshotAsync();
    }

    [Fact]
    public async Task Without_a_replica_the_snapshot_is_taken_on_the_primary()
    {
        await using var proxy = await TcpProxy.StartAsync("127.0.0.1", fixture.Cluster.Standbys[0].Port);
        var options = Options(fixture.Cluster, At(fixture.Cluster.Standbys[0], proxy.Port));
        await ServesAsync(options);
        await proxy.CutAsync();
        await Eventually.ThatAsync(async () => await ReasonAsync(options) == RoutingReason.ReplicasUnavailable, Patience, "the replica is known to be unreachable");
        await using var context = new BlogContext(options);
        var marker = Guid.NewGuid().ToString();

        for (var round = 0; round < 2; round++)
        {
            await using var snapshot = await context.Database.BeginReplicaSnapshotAsync();
            await fixture.Cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") VALUES ('{marker}')");
            Assert.Equal(round, await context.Notes.CountAsync(n => n.Text == marker));
            Assert.Equal(NodeRole.Primary, snapshot.Routing.Role);
            Assert.Equal((NodeRole.Primary, RoutingReason.Snapshot), (context.Database.LastRouting()!.Value.Role, context.Database.LastRouting()!.Value.Reason));
            await RefusedAsync(() => context.Database.ExecuteSqlAsync($"DELETE FROM \"Notes\""));
        }
    }

    [Fact]
    public async Task Context_that_is_disposed_or_returned_to_its_pool_ends_its_snapshot()
    {
        var options = Options(fixture.Cluster, fixture.Cluster.Standbys[0].ConnectionString, r => r.MaxConnections(1));
        await ServesAsync(options);
        for (var round = 0; round < 3; round++)
        {
            await using var context = new BlogContext(options);
            await context.Database.BeginReplicaSnapshotAsync();
            Assert.Equal(3, await context.Blogs.CountAsync());
        }

        var factory = new Microsoft.EntityFrameworkCore.Infrastructure.PooledDbContextFactory<BlogContext>(options, poolSize: 1);
        for (var round = 0; round < 3; round++)
        {
            await using var context = await factory.CreateDbContextAsync();
            Assert.Equal(0, await context.Database.ExecuteSqlAsync($"DELETE FROM \"Notes\" WHERE \"Id\" < 0"));
            await context.Database.BeginReplicaSnapshotAsync();
            Assert.Equal(3, await context.Blogs.CountAsync());
        }
    }

    [Fact]
    public async Task Snapshot_whose_server_dies_fails_its_query_and_the_context_goes_on()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var options = Options(cluster, cluster.Standbys[0].ConnectionString);
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        await using (await context.Database.BeginReplicaSnapshotAsync())
        {
            Assert.Equal(3, await context.Blogs.CountAsync());
            await cluster.Standbys[0].KillAsync();
            await Assert.ThrowsAnyAsync<Exception>(() => context.Blogs.CountAsync());
        }

        Assert.Equal(3, await context.Blogs.CountAsync());
        Assert.Equal(NodeRole.Primary, context.Database.LastRouting()!.Value.Role);
    }

    private static async Task RefusedAsync(Func<Task> write, string reason = "snapshot")
    {
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(write);
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
    }

    private async Task<BlogContext> ContextAsync()
    {
        var options = BlogContext.Options(fixture.Cluster).Options;
        await ServesAsync(options);
        return new BlogContext(options);
    }
}
