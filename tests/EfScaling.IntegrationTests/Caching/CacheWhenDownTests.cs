using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Which results are used while no server can be asked, by whom, and which never.</summary>
public sealed class CacheWhenDownTests
{
    private static readonly TimeSpan _long = TimeSpan.FromMinutes(10);

    [Fact]
    public async Task A_result_that_a_write_has_made_old_is_given_while_the_database_is_down_to_whom_it_may_be()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0 });
        await BlogContext.CreateSchemaAsync(cluster);
        var notes = new MarkedNotes(cluster);
        var process = await CachedBlogs.StartAsync(cluster);
        await notes.AddAsync(process);
        await using var writer = process.Context();
        await using var sawNewer = process.Context();
        await using var kept = process.Context();
        await Eventually.ThatAsync(async () => await CountAsync(kept) is (1, CacheOutcome.LocalHit), MarkedNotes.Patience, "the notes to be cached");
        writer.Add(new Note { Text = notes.Mark });
        await writer.SaveChangesAsync();
        var token = await writer.Database.GetConsistencyTokenAsync();
        Assert.Equal(2, await notes.Query(sawNewer).NotCacheable().CountAsync());

        // A server that is slow is not down.
        await using (var locker = process.Context())
        {
            await using var transaction = await locker.Database.BeginTransactionAsync();
            await locker.Database.ExecuteSqlAsync($"LOCK TABLE \"Notes\"");
            await using var impatient = process.Context();
            impatient.Database.SetCommandTimeout(1);
            await Assert.ThrowsAnyAsync<Exception>(() => CountAsync(impatient));
        }

        Assert.Contains("v:public.Notes, or up to 600 s old while no server can be asked", notes.Query(kept).ServeCachedWhenDown(_long).ToRoutingString(), StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => notes.Query(kept).ServeCachedWhenDown(TimeSpan.Zero));
        await cluster.Primary.StopAsync();

        // The pool's connections are broken at first.
        for (var i = 0; i < 3; i++)
        {
            await using var fresh = process.Context();
            Assert.Equal((1, CacheOutcome.DownHit), await CountAsync(fresh));
            Assert.Equal((1, CacheOutcome.DownHit), await CountAsync(kept));
            Assert.Equal(1, notes.Query(kept).ServeCachedWhenDown(_long).Count());
        }

        var decision = kept.Database.LastRouting()!.Value;
        Assert.InRange(decision.StalenessBound, TimeSpan.FromTicks(1), _long);
        Assert.Matches("^cache memory: DownHit, at most .* s old$", decision.ToString());
        Assert.Equal(9, process.Events.Count(EfScalingEventId.ServedWhenDown));

        await using var given = process.Context();
        given.Database.UseConsistencyToken(token);
        await using var other = process.Context();
        foreach (var context in new[] { writer, sawNewer, given })
        {
            await Assert.ThrowsAnyAsync<Exception>(() => CountAsync(context));
        }

        await Assert.ThrowsAnyAsync<Exception>(() => notes.Query(other).CountAsync());
        await Assert.ThrowsAnyAsync<Exception>(() => notes.Query(other).ServeCachedWhenDown(TimeSpan.FromTicks(1)).CountAsync());
        await Assert.ThrowsAnyAsync<Exception>(() => notes.Query(other).ServeCachedWhenDown(_long).WithMaxStaleness(TimeSpan.FromTicks(1)).CountAsync());
        await Assert.ThrowsAnyAsync<Exception>(() => notes.Query(other).ServeCachedWhenDown(_long).AsPrimary().CountAsync());
        Assert.Equal((1, CacheOutcome.DownHit), await CountAsync(other));

        await cluster.Primary.StartAsync();
        await notes.AreRightAsync(process);
        Assert.Equal(2, (await CountAsync(other)).Count);

        async Task<(int Count, CacheOutcome? Outcome)> CountAsync(BlogContext context) =>
            (await notes.Query(context).ServeCachedWhenDown(_long).CountAsync(), context.Database.LastRouting()!.Value.Cache?.Outcome);
    }

    [Fact]
    public async Task What_the_context_says_counts_for_all_queries_when_the_store_and_every_node_are_down()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        await using var redis = await RedisServer.StartAsync();
        var notes = new MarkedNotes(cluster);
        var replica = cluster.Standbys[0].ConnectionString;
        var process = await CachedBlogs.StartAsync(
            cluster, c => c.Redis(MarkedNotes.To(redis.Endpoint)).ServeCachedWhenDown(_long), o => o.UseReadReplicas(r => r.AddReplica(replica)));
        await notes.AddAsync(process);
        await notes.AreCachedAsync(process);

        await redis.StopAsync();
        await notes.HaveOutcomeAsync(process, CacheOutcome.StoreUnavailable);
        await cluster.Standbys[0].StopAsync();
        await cluster.Primary.StopAsync();

        for (var i = 0; i < 3; i++)
        {
            var (count, cache) = await notes.CountAsync(process);
            Assert.Equal((1, CacheOutcome.DownHit), (count, cache.Outcome));
        }

        await using var context = process.Context();
        await Assert.ThrowsAnyAsync<Exception>(() => notes.Query(context).ServeCachedWhenDown(TimeSpan.FromTicks(1)).CountAsync());
        await Assert.ThrowsAnyAsync<Exception>(() => context.Notes.CountAsync());
    }
}
