using System.Data.Common;
using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;
using static EfScaling.IntegrationTests.Clusters.ReplicaReads;

namespace EfScaling.IntegrationTests.Consistency;

/// <summary>A replica that the monitor has not measured since a write proves itself that it shows the write, or does not run the query.</summary>
public sealed class GuardTests(ClusterFixture fixture)
{
    // Long enough that no probe comes between a write and the read after it; and a replica that is some intervals behind still counts as near.
    private static readonly TimeSpan _rareProbes = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task Read_after_a_write_goes_to_a_replica_that_has_it_in_one_round_trip()
    {
        await using var counter = RoundTripCounter.Start(fixture.Cluster.Standbys[0].Port);
        var options = Options(fixture.Cluster, At(fixture.Cluster.Standbys[0], counter.Port), r => r.ProbeInterval(_rareProbes).MaxStaleness(TimeSpan.FromSeconds(10)).CatchUpWait(Patience / 2));
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        await context.Notes.AnyAsync();
        var plain = await CountedAsync(counter, () => context.Notes.AnyAsync());

        for (var round = 0; round < 5; round++)
        {
            await ByGuardAsync(context, async () =>
            {
                var marker = await WriteTwoAsync(context);
                await fixture.Cluster.WaitForReplicationAsync();
                var guarded = await CountedAsync(counter, async () => Assert.Equal(2, await context.Notes.CountAsync(n => n.Text == marker)));
                Assert.Equal((1, 1), (plain, guarded));
            });
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task Guarded_queries_answer_as_others_do(bool isAsync, bool isPrepared)
    {
        var replica = fixture.Cluster.Standbys[0].ConnectionString + (isPrepared ? ";Max Auto Prepare=20;Auto Prepare Min Usages=1" : string.Empty);
        var options = Options(fixture.Cluster, replica, r => r.ProbeInterval(_rareProbes).MaxStaleness(TimeSpan.FromSeconds(10)).CatchUpWait(Patience / 2));
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        var ids = new[] { 1, 3 };

        for (var round = 0; round < 3; round++)
        {
            await GuardedAsync(context, isAsync, () => context.Blogs.Where(b => ids.Contains(b.Id)).OrderBy(b => b.Id).Select(b => b.Name), ["blog 1", "blog 3"]);
            await GuardedAsync(context, isAsync, () => context.Blogs.Where(b => b.Id == -round).Select(b => b.Name), []);
            await GuardedAsync(context, isAsync, () => context.Blogs.AsNoTracking().Include(b => b.Posts).ThenInclude(p => p.Tags).AsSplitQuery().OrderBy(b => b.Id).Select(b => b), 3, b => Assert.Equal(4, b.Posts.Count));
            await GuardedAsync(context, isAsync, () => context.Blogs.OrderBy(b => b.Id).Select(b => b), 3, b => Assert.Equal("dark", b.Settings.Theme));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Interceptor_that_takes_the_guard_away_gets_its_rows_from_the_primary(bool isAsync)
    {
        var options = new DbContextOptionsBuilder<BlogContext>(
                Options(fixture.Cluster, fixture.Cluster.Standbys[0].ConnectionString, r => r.ProbeInterval(_rareProbes).MaxStaleness(TimeSpan.FromSeconds(10)).CatchUpWait(Patience / 2)))
            .AddInterceptors(new SqlOfItsOwn())
            .Options;
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        for (var round = 0; round < 3; round++)
        {
            await WriteTwoAsync(context);
            var query = context.Notes.Select(n => n.Text);
            Assert.Equal(["its own"], isAsync ? await query.ToListAsync() : [.. query]);
        }
    }

    [Fact]
    public async Task Guarded_read_streams()
    {
        var options = Options(fixture.Cluster, fixture.Cluster.Standbys[0].ConnectionString, r => r.ProbeInterval(_rareProbes).MaxStaleness(TimeSpan.FromSeconds(10)).CatchUpWait(Patience / 2));
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        await ByGuardAsync(context, async () =>
        {
            await WriteTwoAsync(context);
            var ids = new List<int>();
            await foreach (var blog in context.Blogs.OrderBy(b => b.Id).AsAsyncEnumerable())
            {
                ids.Add(blog.Id);
                Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
            }

            Assert.Equal([1, 2, 3], ids);
        });
    }

    [Fact]
    public async Task Error_of_a_guarded_query_is_the_callers_even_if_it_is_the_guards_own()
    {
        var options = Options(fixture.Cluster, fixture.Cluster.Standbys[0].ConnectionString, r => r.ProbeInterval(_rareProbes).MaxStaleness(TimeSpan.FromSeconds(10)).CatchUpWait(Patience / 2));
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        await ByGuardAsync(context, async () =>
        {
            await WriteTwoAsync(context);
            await fixture.Cluster.WaitForReplicationAsync();
            var failure = await Assert.ThrowsAnyAsync<Exception>(() => context.Blogs.Select(b => 1 / (b.Id - b.Id)).ToListAsync());
            Assert.Equal(PostgresErrorCodes.DivisionByZero, ((PostgresException)failure.GetBaseException()).SqlState);
            Assert.Equal(1, context.Database.LastRouting()!.Value.Attempts);
        });

        Assert.Equal(3, await context.Blogs.CountAsync());
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)] // a retrying strategy buffers results, also the empty one of a guard that does not hold
    [InlineData(false, true)]
    public async Task Replica_that_is_behind_does_not_run_the_query_and_another_one_does(bool isAsync, bool isRetrying)
    {
        await using var cluster = await PostgresCluster.StartAsync();
        await BlogContext.CreateSchemaAsync(cluster);
        var log = new EventLog();
        var options = new DbContextOptionsBuilder<BlogContext>()
            .UseNpgsql(cluster.Primary.ConnectionString, o => _ = isRetrying ? o.EnableRetryOnFailure() : o)
            .UseReadReplicas(r => r.AddReplica(cluster.Standbys[0].ConnectionString).AddReplica(cluster.Standbys[1].ConnectionString)
                .ProbeInterval(_rareProbes).MaxStaleness(TimeSpan.FromSeconds(10)).CatchUpWait(TimeSpan.FromMilliseconds(100)))
            .UseLoggerFactory(log)
            .Options;
        await Eventually.ThatAsync(async () => (await NodesAsync(options, 50)).Count == 2, Patience, "both replicas serve");
        await cluster.Standbys[0].PauseReplayAsync();

        await using var context = new BlogContext(options);
        var marker = Guid.NewGuid().ToString();
        context.Notes.AddRange(new Note { Text = marker }, new Note { Text = marker });
        await (isRetrying ? context.Database.CreateExecutionStrategy().ExecuteAsync(() => context.SaveChangesAsync()) : context.SaveChangesAsync());
        await cluster.Standbys[1].WaitForReplayAsync(cluster.Primary);
        for (var round = 0; round < 10; round++)
        {
            await using var other = new BlogContext(options);
            other.Database.UseConsistencyToken(await context.Database.GetConsistencyTokenAsync());
            var query = other.Notes.Where(n => n.Text == marker).Select(n => new { n.Id, n.Text });
            Assert.Equal(2, (isAsync ? await query.ToListAsync() : [.. query]).Count);
            Assert.Equal($"127.0.0.1:{cluster.Standbys[1].Port}", other.Database.LastRouting()!.Value.Node);
        }

        // A replica that is behind has done nothing wrong, and no command has failed.
        Assert.Equal(0, log.Count(EfScaling.Diagnostics.EfScalingEventId.NodeBanned));
        Assert.Equal(0, log.Count(Microsoft.EntityFrameworkCore.Diagnostics.RelationalEventId.CommandError.Id));
    }

    [Fact]
    public async Task When_all_replicas_stay_behind_the_primary_serves_after_the_wait_and_at_once_afterwards()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var wait = TimeSpan.FromMilliseconds(300);
        var options = Options(cluster, cluster.Standbys[0].ConnectionString, r => r.ProbeInterval(_rareProbes).MaxStaleness(TimeSpan.FromSeconds(10)).CatchUpWait(wait));
        await ServesAsync(options);
        await cluster.Standbys[0].PauseReplayAsync();
        await using var context = new BlogContext(options);
        var marker = await WriteTwoAsync(context);

        var started = TimeProvider.System.GetTimestamp();
        Assert.Equal(2, await context.Notes.CountAsync(n => n.Text == marker));
        var first = TimeProvider.System.GetElapsedTime(started);
        Assert.Equal((NodeRole.Primary, RoutingReason.ReadYourWrites), (context.Database.LastRouting()!.Value.Role, context.Database.LastRouting()!.Value.Reason));
        Assert.True(first >= wait, $"The read waited {first}.");

        started = TimeProvider.System.GetTimestamp();
        Assert.Equal(2, await context.Notes.CountAsync(n => n.Text == marker));
        Assert.True(TimeProvider.System.GetElapsedTime(started) < wait, "The second read waited as well.");

        await cluster.Standbys[0].ResumeReplayAsync();
        await Eventually.ThatAsync(
            async () =>
            {
                Assert.Equal(2, await context.Notes.CountAsync(n => n.Text == marker));
                return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
            },
            Patience,
            "the replica serves the session again");
    }

    [Fact]
    public async Task Idle_primary_right_behind_a_page_header_holds_no_read_up()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var options = Options(cluster, cluster.Standbys[0].ConnectionString, r => r.ProbeInterval(_rareProbes).MaxStaleness(TimeSpan.FromSeconds(10)).CatchUpWait(Patience / 2));
        await ServesAsync(options);
        for (var round = 0; round < 3; round++)
        {
            await using var context = new BlogContext(options);
            await ByGuardAsync(context, async () =>
            {
                // The token's position is asked for right behind the header of a new segment, where replay stops before it.
                await cluster.Primary.ExecuteAsync("SELECT pg_switch_wal()");
                await cluster.WaitForReplicationAsync();
                context.Notes.Add(new Note { Text = "one row, no position" });
                await context.SaveChangesAsync();
                await cluster.Primary.ExecuteAsync("SELECT pg_switch_wal()");

                var started = TimeProvider.System.GetTimestamp();
                Assert.True(await context.Notes.AnyAsync());
                Assert.True(TimeProvider.System.GetElapsedTime(started) < Patience / 4, "The read waited for a position that replay does not reach.");
            });
        }
    }

    [Fact]
    public async Task Repeatable_read_by_default_on_the_server_does_not_weaken_the_guard()
    {
        await using var cluster = await PostgresCluster.StartAsync(
            new PostgresClusterOptions { Standbys = 1, Settings = new Dictionary<string, string> { ["default_transaction_isolation"] = "repeatable read" } });
        await BlogContext.CreateSchemaAsync(cluster);
        var options = Options(cluster, cluster.Standbys[0].ConnectionString, r => r.ProbeInterval(_rareProbes).MaxStaleness(TimeSpan.FromSeconds(10)).CatchUpWait(Patience / 2));
        await ServesAsync(options);
        await using var context = new BlogContext(options);
        await ByGuardAsync(context, async () =>
        {
            await WriteTwoAsync(context);
            Assert.Equal("read committed", (await context.Database.SqlQuery<string>($"SELECT current_setting('transaction_isolation') AS \"Value\"").AsReplica().ToListAsync()).Single());
        });
    }

    // A probe that comes between the write and the read proves the same without a guard; then both are done again.
    private static Task ByGuardAsync(BlogContext context, Func<Task> writeAndRead) => Eventually.ThatAsync(
        async () =>
        {
            await writeAndRead();
            Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
            return context.Database.LastRouting()!.Value.Reason is RoutingReason.GuardedReplica or RoutingReason.PartOfRead;
        },
        Patience,
        "a replica is asked by a guard");

    private static async Task<string> WriteTwoAsync(BlogContext context)
    {
        var marker = Guid.NewGuid().ToString();
        context.Notes.AddRange(new Note { Text = marker }, new Note { Text = marker });
        await context.SaveChangesAsync();
        return marker;
    }

    private static async Task<int> CountedAsync(RoundTripCounter counter, Func<Task> read)
    {
        var before = counter.Count;
        await read();
        return counter.Count - before;
    }

    private static async Task GuardedAsync<T>(BlogContext context, bool isAsync, Func<IQueryable<T>> query, T[] expected)
    {
        var rows = await GuardedAsync(context, isAsync, query);
        Assert.Equal(expected, rows);
    }

    private static async Task GuardedAsync<T>(BlogContext context, bool isAsync, Func<IQueryable<T>> query, int count, Action<T> check)
    {
        var rows = await GuardedAsync(context, isAsync, query);
        Assert.Equal(count, rows.Count);
        Assert.All(rows, check);
    }

    private static async Task<List<T>> GuardedAsync<T>(BlogContext context, bool isAsync, Func<IQueryable<T>> query)
    {
        List<T> rows = [];
        await ByGuardAsync(context, async () =>
        {
            context.ChangeTracker.Clear();
            await WriteTwoAsync(context);
            rows = isAsync ? await query().ToListAsync() : [.. query()];
        });
        return rows;
    }

    private sealed class SqlOfItsOwn : DbCommandInterceptor
    {
        private const string Sql = "SELECT 'its own' AS \"Text\"";

        public override InterceptionResult<DbDataReader> ReaderExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result)
        {
            Replace(command);
            return result;
        }

        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
        {
            Replace(command);
            return new(result);
        }

        private static void Replace(DbCommand command)
        {
            if (command.CommandText.Contains("FROM \"Notes\"", StringComparison.Ordinal))
            {
                command.CommandText = Sql;
            }
        }
    }
}
