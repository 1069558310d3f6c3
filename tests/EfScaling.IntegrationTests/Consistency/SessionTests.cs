using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using static EfScaling.IntegrationTests.Clusters.ReplicaReads;

namespace EfScaling.IntegrationTests.Consistency;

/// <summary>What one context wrote or saw, another one of the same session sees; across contexts, processes, and changes of the servers.</summary>
public sealed class SessionTests(ClusterFixture fixture)
{
    private static readonly byte[] _key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    [Fact]
    public async Task Contexts_of_a_session_see_each_others_writes_and_others_need_not()
    {
        await using var lagging = await LaggingAsync();
        var options = lagging.Options;
        using var session = ConsistencySession.Begin();
        for (var rows = 1; rows <= 2; rows++)
        {
            var marker = await WriteAsync(options, rows);

            await using (var inside = new BlogContext(options))
            {
                Assert.Equal(rows, await inside.Notes.CountAsync(n => n.Text == marker));
                Assert.Equal(RoutingReason.ReadYourWrites, inside.Database.LastRouting()!.Value.Reason);
            }

            await Task.Run(async () =>
            {
                await using var inParallel = new BlogContext(options);
                Assert.Equal(rows, await inParallel.Notes.CountAsync(n => n.Text == marker));
            });

            await OutsideAsync(async () =>
            {
                await using var outside = new BlogContext(options);
                Assert.Equal(0, await outside.Notes.CountAsync(n => n.Text == marker));
                Assert.Equal(NodeRole.Replica, outside.Database.LastRouting()!.Value.Role);
            });
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Token_takes_writes_to_another_session_and_another_process(int rows)
    {
        await using var lagging = await LaggingAsync();
        var protector = new ConsistencyTokenProtector(_key);
        string text, marker;
        using (var session = ConsistencySession.Begin())
        {
            marker = await WriteAsync(lagging.Options, rows);
            text = protector.Protect(await session.GetTokenAsync());
        }

        Assert.InRange(text.Length, 1, 100);

        foreach (var options in new[] { lagging.Options, lagging.Elsewhere })
        {
            using var session = ConsistencySession.Begin(protector.Unprotect(text));
            await using var context = new BlogContext(options);
            Assert.Equal(rows, await context.Notes.CountAsync(n => n.Text == marker));
        }

        await using var without = new BlogContext(lagging.Elsewhere);
        Assert.Equal(0, await without.Notes.CountAsync(n => n.Text == marker));
        without.Database.UseConsistencyToken(protector.Unprotect(text));
        Assert.Equal(rows, await without.Notes.CountAsync(n => n.Text == marker));
    }

    [Fact]
    public async Task Session_that_saw_the_newest_does_not_go_back_on_another_replica_or_in_another_process()
    {
        await using var cluster = await PostgresCluster.StartAsync();
        await BlogContext.CreateSchemaAsync(cluster);
        var (first, second) = (cluster.Standbys[0], cluster.Standbys[1]);
        await second.PauseReplayAsync();
        var marker = Guid.NewGuid().ToString();
        await cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") VALUES ('{marker}')");
        await first.WaitForReplayAsync(cluster.Primary);

        var onFirst = Options(cluster, first.ConnectionString, r => r.MaxStaleness(TimeSpan.FromMinutes(5)));
        var onSecond = Options(cluster, second.ConnectionString, r => r.MaxStaleness(TimeSpan.FromMinutes(5)));
        await ServesAsync(onFirst);
        await Eventually.ThatAsync(async () => await ReasonAsync(onSecond) != RoutingReason.ReplicasNotMeasured, Patience, "the other replica is measured");

        string text;
        var protector = new ConsistencyTokenProtector(_key);
        using (var session = ConsistencySession.Begin())
        {
            await using var context = new BlogContext(onFirst);
            Assert.True(await context.Notes.AnyAsync(n => n.Text == marker));
            Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
            text = protector.Protect(await session.GetTokenAsync());
        }

        using (ConsistencySession.Begin(protector.Unprotect(text)))
        {
            await using var context = new BlogContext(onSecond);
            Assert.True(await context.Notes.AnyAsync(n => n.Text == marker), "The session went back in time.");
        }

        // Where it was seen the token costs nothing.
        using (ConsistencySession.Begin(protector.Unprotect(text)))
        {
            await using var context = new BlogContext(onFirst);
            Assert.True(await context.Notes.AnyAsync(n => n.Text == marker));
            Assert.Equal(RoutingReason.SameReplica, context.Database.LastRouting()!.Value.Reason);
        }
    }

    [Fact]
    public async Task Session_that_saw_the_newest_on_the_primary_does_not_go_back_on_a_replica()
    {
        await using var lagging = await LaggingAsync();
        var marker = Guid.NewGuid().ToString();
        await lagging.Cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") VALUES ('{marker}')");
        using var session = ConsistencySession.Begin();
        await using var first = new BlogContext(lagging.Options);
        Assert.True(await first.Notes.AsPrimary().AnyAsync(n => n.Text == marker));

        await using var second = new BlogContext(lagging.Options);
        Assert.True(await second.Notes.AnyAsync(n => n.Text == marker));
        Assert.True(await first.Notes.AnyAsync(n => n.Text == marker));
    }

    [Theory]
    [InlineData(ReadContract.MaxStaleness)]
    [InlineData(ReadContract.Any)]
    public async Task Contracts_without_a_session_read_a_replica_that_lacks_its_writes(ReadContract contract)
    {
        await using var lagging = await LaggingAsync(elsewhere: r => r.DefaultContract(contract));
        var options = lagging.Options;
        await using var context = new BlogContext(options);
        context.Notes.Add(new Note { Text = "mine" });
        await context.SaveChangesAsync();

        Assert.Equal(0, await context.Notes.WithContract(contract).CountAsync(n => n.Text == "mine"));
        Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
        Assert.Equal(1, await context.Notes.CountAsync(n => n.Text == "mine"));
        using (context.Database.UseContract(contract))
        {
            Assert.Equal(0, await context.Notes.CountAsync(n => n.Text == "mine"));
            Assert.Equal(1, await context.Notes.WithContract(ReadContract.Session).CountAsync(n => n.Text == "mine"));
            Assert.Equal(1, await context.Notes.WithContract(ReadContract.Primary).CountAsync(n => n.Text == "mine"));
            Assert.Equal(RoutingReason.PrimaryRequested, context.Database.LastRouting()!.Value.Reason);
        }

        await using var other = new BlogContext(lagging.Elsewhere);
        other.Notes.Add(new Note { Text = "mine" });
        await other.SaveChangesAsync();
        Assert.Equal(0, await other.Notes.CountAsync(n => n.Text == "mine"));
        Assert.Equal(2, await other.Notes.WithContract(ReadContract.Session).CountAsync(n => n.Text == "mine"));
    }

    [Fact]
    public async Task Any_reads_a_replica_however_old_while_MaxStaleness_does_not()
    {
        await using var lagging = await LaggingAsync(r => r.MaxStaleness(TimeSpan.FromSeconds(1)));
        await Eventually.ThatAsync(
            async () =>
            {
                await lagging.Cluster.Primary.ExecuteAsync("INSERT INTO \"Notes\" (\"Text\") VALUES ('time passes')");
                return await ReasonAsync(lagging.Options) == RoutingReason.ReplicasTooStale;
            },
            Patience,
            "the replica is too old");

        await using var context = new BlogContext(lagging.Options);
        Assert.Equal(0, await context.Notes.WithContract(ReadContract.Any).CountAsync());
        Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
        Assert.True(context.Database.LastRouting()!.Value.StalenessBound > TimeSpan.FromSeconds(1));
        Assert.NotEqual(0, await context.Notes.WithContract(ReadContract.MaxStaleness).CountAsync());
    }

    [Fact]
    public async Task Token_that_was_changed_or_is_of_another_cluster_reads_the_primary_and_is_logged()
    {
        await using var other = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(other);
        var elsewhere = Options(other, other.Standbys[0].ConnectionString);
        await ServesAsync(elsewhere);
        ConsistencyToken foreign;
        using (var session = ConsistencySession.Begin())
        {
            await WriteAsync(elsewhere, rows: 2);
            foreign = await session.GetTokenAsync();
        }

        var log = new EventLog();
        var options = Options(fixture.Cluster, fixture.Cluster.Standbys[0].ConnectionString, log: log);
        await ServesAsync(options);
        foreach (var token in new[] { foreign, new ConsistencyTokenProtector(_key).Unprotect("changed"), ConsistencyToken.Unknown })
        {
            using var session = ConsistencySession.Begin(token);
            for (var read = 0; read < 3; read++)
            {
                await using var context = new BlogContext(options);
                Assert.Equal(3, await context.Blogs.CountAsync());
                Assert.Equal((NodeRole.Primary, RoutingReason.TokenNotUsable), (context.Database.LastRouting()!.Value.Role, context.Database.LastRouting()!.Value.Reason));
                Assert.Contains(nameof(RoutingReason.TokenNotUsable), context.Blogs.ToRoutingString(), StringComparison.Ordinal);
            }

            // Its own token is as good as any other again.
            var next = await session.GetTokenAsync();
            using var following = ConsistencySession.Begin(next);
            await using var after = new BlogContext(options);
            Assert.Equal(3, await after.Blogs.CountAsync());
            Assert.NotEqual(RoutingReason.TokenNotUsable, after.Database.LastRouting()!.Value.Reason);
        }

        Assert.NotEqual(0, log.Count(EfScalingEventId.TokenNotUsable));
    }

    [Fact]
    public async Task Token_of_the_history_before_a_promotion_reads_the_new_primary()
    {
        await using var cluster = await PostgresCluster.StartAsync();
        await BlogContext.CreateSchemaAsync(cluster);
        var before = Options(cluster, cluster.Standbys[0].ConnectionString);
        await ServesAsync(before);
        ConsistencyToken token;
        string marker;
        using (var session = ConsistencySession.Begin())
        {
            marker = await WriteAsync(before, rows: 2);
            token = await session.GetTokenAsync();
        }

        await cluster.WaitForReplicationAsync();
        await cluster.Primary.KillAsync();
        var (primary, standby) = (cluster.Standbys[0], cluster.Standbys[1]);
        await primary.PromoteAsync();
        await standby.FollowAsync(primary);
        var after = new DbContextOptionsBuilder<BlogContext>().UseNpgsql(primary.ConnectionString).UseReadReplicas(r => r.AddReplica(standby.ConnectionString)).Options;
        await ServesAsync(after);

        using (ConsistencySession.Begin(token))
        {
            await using var context = new BlogContext(after);
            Assert.Equal(2, await context.Notes.CountAsync(n => n.Text == marker));
            Assert.Equal(RoutingReason.TokenNotUsable, context.Database.LastRouting()!.Value.Reason);
        }
    }

    [Fact]
    public async Task Token_of_the_original_reads_the_primary_of_a_restored_clone()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var (clone, cloned) = (await cluster.AddStandbyAsync(), await cluster.AddStandbyAsync());

        // A clone keeps the identifier of its cluster; from here on it has a history of its own.
        await clone.PromoteAsync();
        await cloned.FollowAsync(clone);
        var original = Options(cluster, cluster.Standbys[0].ConnectionString);
        await ServesAsync(original);
        ConsistencyToken token;
        using (var session = ConsistencySession.Begin())
        {
            await WriteAsync(original, rows: 2);
            token = await session.GetTokenAsync();
        }

        var restored = new DbContextOptionsBuilder<BlogContext>().UseNpgsql(clone.ConnectionString).UseReadReplicas(r => r.AddReplica(cloned.ConnectionString)).Options;
        await ServesAsync(restored);
        using (ConsistencySession.Begin(token))
        {
            await using var context = new BlogContext(restored);
            Assert.Equal(0, await context.Notes.CountAsync());
            Assert.Equal((NodeRole.Primary, RoutingReason.TokenNotUsable), (context.Database.LastRouting()!.Value.Role, context.Database.LastRouting()!.Value.Reason));
        }
    }

    [Fact]
    public async Task Standby_that_was_restarted_counts_as_another_server()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var options = Options(cluster, cluster.Standbys[0].ConnectionString, r => r.MaxStaleness(TimeSpan.FromMinutes(5)));
        await ServesAsync(options);
        using var session = ConsistencySession.Begin();
        await using (var context = new BlogContext(options))
        {
            await context.Blogs.CountAsync();
            await context.Blogs.CountAsync();
            Assert.Equal(RoutingReason.SameReplica, context.Database.LastRouting()!.Value.Reason);
        }

        await cluster.Standbys[0].RestartAsync();

        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = new BlogContext(options);
                await context.Blogs.CountAsync();
                return context.Database.LastRouting()!.Value.Reason is RoutingReason.GuardedReplica or RoutingReason.FreshReplica;
            },
            Patience,
            "the restarted replica proves that it has what the session has seen");
    }

    [Fact]
    public async Task Sessions_nest_and_end_with_the_code_that_began_them()
    {
        Assert.Null(ConsistencySession.Current);
        using (var outer = ConsistencySession.Begin())
        {
            using (var inner = ConsistencySession.Begin())
            {
                await Task.Yield();
                Assert.Same(inner, ConsistencySession.Current);
            }

            Assert.Same(outer, ConsistencySession.Current);
            await BeginAndLeaveOpenAsync();
            Assert.Same(outer, ConsistencySession.Current);
        }

        Assert.Null(ConsistencySession.Current);

        static async Task BeginAndLeaveOpenAsync()
        {
            ConsistencySession.Begin();
            await Task.Yield();
        }
    }

    [Fact]
    public async Task Contexts_with_other_settings_of_the_same_servers_share_the_session()
    {
        await using var lagging = await LaggingAsync();
        using var session = ConsistencySession.Begin();
        var marker = await WriteAsync(lagging.Options, 2);
        await using var context = new BlogContext(lagging.Elsewhere);
        Assert.Equal(2, await context.Notes.CountAsync(n => n.Text == marker));
    }

    [Fact]
    public async Task Write_on_a_connection_that_stays_open_is_seen_by_other_contexts()
    {
        await using var lagging = await LaggingAsync();
        using var session = ConsistencySession.Begin();
        await using var writer = new BlogContext(lagging.Options);
        await writer.Database.OpenConnectionAsync();
        writer.Notes.Add(new Note { Text = "x" });
        await writer.SaveChangesAsync();
        await using var context = new BlogContext(lagging.Options);
        Assert.Equal(1, await context.Notes.CountAsync(n => n.Text == "x"));
    }

    [Fact]
    public async Task Other_contexts_do_not_go_back_while_rows_are_still_being_read()
    {
        await using var cluster = await PostgresCluster.StartAsync();
        await BlogContext.CreateSchemaAsync(cluster);
        var (first, second) = (cluster.Standbys[0], cluster.Standbys[1]);
        var options = Options(cluster, first.ConnectionString, r => r.AddReplica(second.ConnectionString).MaxStaleness(TimeSpan.FromMinutes(5)));
        await Eventually.ThatAsync(async () => (await NodesAsync(options, 10)).Count == 2, Patience, "both serve");
        await second.PauseReplayAsync();
        await cluster.Primary.ExecuteAsync("INSERT INTO \"Notes\" (\"Text\") VALUES ('a'), ('a')");
        await first.WaitForReplayAsync(cluster.Primary);
        for (var round = 0; round < 40; round++)
        {
            using var session = ConsistencySession.Begin();
            await using var outer = new BlogContext(options);
            var outerQuery = round % 2 == 0 ? outer.Notes.AsNoTracking() : outer.Notes.AsNoTracking().AsPrimary();
            await foreach (var note in outerQuery.AsAsyncEnumerable())
            {
                await using var inner = new BlogContext(options);
                Assert.True(await inner.Notes.AnyAsync(n => n.Id == note.Id), $"round {round}: went back");
                break;
            }
        }
    }

    private static async Task<string> WriteAsync(DbContextOptions options, int rows)
    {
        var marker = Guid.NewGuid().ToString();
        await using var context = new BlogContext(options);
        context.Notes.AddRange(Enumerable.Range(0, rows).Select(_ => new Note { Text = marker }));
        await context.SaveChangesAsync();
        return marker;
    }

    // The ambient session flows into everything that is called; here nothing flows.
    private static Task OutsideAsync(Func<Task> read)
    {
        using (ExecutionContext.SuppressFlow())
        {
            return Task.Run(read);
        }
    }

    // A cluster whose replica stands still from now on and is fresh enough for minutes. Other settings make another monitor, as another process has it.
    private static async Task<Lagging> LaggingAsync(Action<ReplicaOptionsBuilder>? configure = null, Action<ReplicaOptionsBuilder>? elsewhere = null)
    {
        var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var here = Configured(configure);
        var there = Configured(elsewhere ?? (r => r.RampUp(TimeSpan.FromSeconds(1.5))));
        await ServesAsync(here);
        await ServesAsync(there);
        await cluster.Standbys[0].PauseReplayAsync();
        return new Lagging(cluster, here, there);

        DbContextOptions<BlogContext> Configured(Action<ReplicaOptionsBuilder>? more) => Options(cluster, cluster.Standbys[0].ConnectionString, r =>
        {
            r.MaxStaleness(TimeSpan.FromMinutes(5));
            more?.Invoke(r);
        });
    }

    private sealed record Lagging(PostgresCluster Cluster, DbContextOptions<BlogContext> Options, DbContextOptions<BlogContext> Elsewhere) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Cluster.DisposeAsync();
    }
}
