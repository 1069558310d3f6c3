using System.Transactions;
using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Results become old when a write is committed, neither before nor without it, and what a transaction sees is no result.</summary>
public sealed class CacheTimingTests(ClusterFixture fixture)
{
    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Fact]
    public async Task What_is_not_committed_is_never_cached_and_what_is_rolled_back_never_seen()
    {
        await using var redis = await RedisServer.StartAsync();
        var (here, there) = await TwoAsync(redis);
        foreach (var commits in new[] { false, true })
        {
            await _notes.AreCachedAsync(here, there);
            await using var context = here.Context();
            await using var transaction = await context.Database.BeginTransactionAsync();
            context.Add(new Note { Text = _notes.Mark });
            await context.SaveChangesAsync();
            for (var i = 0; i < 3; i++)
            {
                Assert.Equal(1, await _notes.Query(context).CountAsync());
                Assert.Equal(CacheOutcome.InTransaction, context.Database.LastRouting()!.Value.Cache!.Value.Outcome);
                Assert.Equal((0, CacheOutcome.WriteUnderWay), Short(await _notes.CountAsync(here)));
                Assert.Equal(0, (await _notes.CountAsync(there)).Count);
            }

            await (commits ? transaction.CommitAsync() : transaction.RollbackAsync());
            await _notes.AreRightAsync(here, there);
            await _notes.AreCachedAsync(here, there);
            await _notes.AreRightAsync(here, there);
        }
    }

    [Fact]
    public async Task What_an_old_snapshot_sees_is_not_kept()
    {
        await using var redis = await RedisServer.StartAsync();
        var (here, there) = await TwoAsync(redis);
        await using (var context = here.Context())
        {
            await using var transaction = await context.Database.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead);
            Assert.Equal(0, await context.Notes.CountAsync(n => n.Text == _notes.Mark));
            await _notes.AddAsync(there);
            await _notes.AreRightAsync(here, there);
            Assert.Equal(0, await _notes.Query(context).CountAsync());
            Assert.Equal(CacheOutcome.InTransaction, context.Database.LastRouting()!.Value.Cache!.Value.Outcome);
            await _notes.AreRightAsync(here, there);
        }

        await _notes.AreRightAsync(here, there);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_TransactionScope_sees_is_not_kept(bool completes)
    {
        await using var redis = await RedisServer.StartAsync();
        var (here, there) = await TwoAsync(redis);
        await _notes.AreCachedAsync(here, there);
        using (var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await using var context = here.Context();
            context.Add(new Note { Text = _notes.Mark });
            await context.SaveChangesAsync();
            Assert.Equal(1, await _notes.Query(context).CountAsync());
            Assert.Equal(CacheOutcome.InTransaction, context.Database.LastRouting()!.Value.Cache!.Value.Outcome);
            if (completes)
            {
                scope.Complete();
            }
        }

        await _notes.AreRightAsync(here, there);
        Assert.Equal(completes ? 1 : 0, (await _notes.CountAsync(there)).Count);
    }

    [Fact]
    public async Task A_commit_whose_answer_is_lost_is_published_when_it_fails_and_again_when_it_may_have_happened()
    {
        // Commits wait for a standby that does not exist, until they are told to wait no more.
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0 });
        await BlogContext.CreateSchemaAsync(cluster);
        await using var redis = await RedisServer.StartAsync();
        foreach (var (inTransaction, inMemory) in new[] { (false, false), (true, false), (true, true) })
        {
            var notes = new MarkedNotes(cluster);
            await using var proxy = await TcpProxy.StartAsync(cluster.Primary.Host, cluster.Primary.Port);
            var proxied = new NpgsqlConnectionStringBuilder(cluster.Primary.ConnectionString) { Host = proxy.Host, Port = proxy.Port, MaxPoolSize = 99 }.ConnectionString;
            var writer = await CachedBlogs.StartAsync(cluster, c => To(c, redis, inMemory), o => o.UseNpgsql(proxied));
            var reader = inMemory ? writer : await CachedBlogs.StartAsync(cluster, c => To(c, redis, inMemory));
            await notes.AreCachedAsync(reader);
            await MissingStandby.AwaitAsync(cluster);

            var writing = Task.Run(async () =>
            {
                await using var context = writer.Context();
                await using var transaction = inTransaction ? await context.Database.BeginTransactionAsync() : null;
                context.Add(new Note { Text = notes.Mark });
                await context.SaveChangesAsync();
                await (transaction?.CommitAsync() ?? Task.CompletedTask);
            });
            await MissingStandby.UntilOneWaitsAsync(cluster);
            await proxy.CutAsync();
            proxy.Restore();
            await Assert.ThrowsAnyAsync<Exception>(() => writing);

            // The commit is still on its way: what is read now is right now, and old soon.
            Assert.Equal(0, (await notes.CountAsync(reader)).Count);
            Assert.Equal(0, (await notes.CountAsync(reader)).Count);
            await MissingStandby.ForgetAsync(cluster);
            await Eventually.ThatAsync(async () => await notes.TruthAsync() == 1, MarkedNotes.Patience, "the commit to happen");
            await Eventually.ThatAsync(async () => (await notes.CountAsync(reader)).Count == 1, TimeSpan.FromSeconds(5), "the commit to be seen");
        }
    }

    [Fact]
    public async Task A_commit_whose_backend_is_terminated_is_published()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0 });
        await BlogContext.CreateSchemaAsync(cluster);
        await using var redis = await RedisServer.StartAsync();
        var notes = new MarkedNotes(cluster);
        var writer = await CachedBlogs.StartAsync(cluster, c => To(c, redis, inMemory: false));
        var reader = await CachedBlogs.StartAsync(cluster, c => To(c, redis, inMemory: false));
        await notes.AreCachedAsync(writer, reader);
        await MissingStandby.AwaitAsync(cluster);
        var writing = notes.AddAsync(writer);
        await MissingStandby.UntilOneWaitsAsync(cluster);

        await cluster.Primary.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");

        // The server says at first that it has committed; whether the client then hears of the end is a matter of time.
        await Task.WhenAny(writing);
        await notes.AreRightAsync(writer, reader);
        Assert.Equal(1, await notes.TruthAsync());
    }

    private static QueryCacheOptionsBuilder To(QueryCacheOptionsBuilder cache, RedisServer redis, bool inMemory) =>
        (inMemory ? cache : cache.Redis(MarkedNotes.To(redis.Endpoint))).WriteLease(TimeSpan.FromSeconds(1));

    private static (int Count, CacheOutcome Outcome) Short((int Count, CacheDecision Cache) seen) => (seen.Count, seen.Cache.Outcome);

    private async Task<(CachedBlogs Here, CachedBlogs There)> TwoAsync(RedisServer redis) =>
        (await CachedBlogs.StartAsync(fixture.Cluster, c => To(c, redis, inMemory: false)), await CachedBlogs.StartAsync(fixture.Cluster, c => To(c, redis, inMemory: false)));
}
