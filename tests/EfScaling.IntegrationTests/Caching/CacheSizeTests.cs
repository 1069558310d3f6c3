using EfScaling.Caching;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A result that is too large is not kept, and keeps no other result of its query from being kept.</summary>
public sealed class CacheSizeTests(ClusterFixture fixture)
{
    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_small_result_is_kept_after_a_large_one_of_the_same_query(bool isAsync)
    {
        var process = await CachedBlogs.StartAsync(
            fixture.Cluster, c => c.MaxResult(rows: 5), o => o.UseNpgsql(fixture.Cluster.Primary.ConnectionString, n => n.EnableRetryOnFailure()));
        await fixture.Cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") SELECT '{_notes.Mark}' FROM generate_series(1, 9)");
        Assert.Equal(9, await CountAsync(9));
        await Eventually.ThatAsync(async () => await OutcomeAsync(9) == CacheOutcome.TooLarge, MarkedNotes.Patience, "the large result to be known");

        await Eventually.ThatAsync(async () => await OutcomeAsync(3) == CacheOutcome.LocalHit, MarkedNotes.Patience, "the small result to be kept");

        Assert.Equal(3, await CountAsync(3));
        Assert.Equal(9, await CountAsync(9));
        Assert.Equal(CacheOutcome.TooLarge, await OutcomeAsync(9));
        Assert.Equal(0, process.Events.Count(EfScalingEventId.QueryNotCacheable));

        async Task<int> CountAsync(int rows)
        {
            await using var context = process.Context();
            return (await ReadAsync(context, rows)).Count;
        }

        Task<CacheOutcome?> OutcomeAsync(int rows) => process.OutcomeAsync(c => ReadAsync(c, rows));

        async Task<List<Note>> ReadAsync(BlogContext context, int rows)
        {
            var query = _notes.Query(context).OrderBy(n => n.Id).Take(rows);
            return isAsync ? await query.ToListAsync() : query.ToList();
        }
    }

    [Fact]
    public async Task A_value_that_would_not_survive_being_kept_is_no_large_result()
    {
        var process = await CachedBlogs.StartAsync(fixture.Cluster, also: o => o.UseNpgsql(fixture.Cluster.Primary.ConnectionString, n => n.EnableRetryOnFailure()));
        await fixture.Cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") VALUES (repeat('!(', 300) || 'x{_notes.Mark}' || repeat(')', 300))");
        for (var i = 0; i < 3; i++)
        {
            var outcome = await process.OutcomeAsync(async c =>
                Assert.Single(await c.Notes.Where(n => n.Text.Contains("x" + _notes.Mark)).Select(n => EF.Functions.ToTsQuery("simple", n.Text)).Cacheable().ToListAsync()));
            Assert.NotEqual(CacheOutcome.TooLarge, outcome);
        }

        Assert.Equal(1, process.Events.Count(EfScalingEventId.QueryNotCacheable));
        Assert.Contains(process.Events.Events, e => e.Message.Contains("would not survive being kept", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Hits_in_memory_start_the_time_of_a_sliding_result_anew_in_the_store_too()
    {
        await using var store = new ProlongedCacheStore(new MemoryCacheStore());
        var process = await CachedBlogs.StartAsync(fixture.Cluster, c => c.Store(store));
        await Eventually.ThatAsync(async () => await OutcomeAsync() == CacheOutcome.LocalHit, MarkedNotes.Patience, "the result to be kept");
        var hits = 0;

        await Eventually.ThatAsync(
            async () =>
            {
                Assert.Equal(CacheOutcome.LocalHit, await OutcomeAsync());
                hits++;
                return store.Count >= 3;
            },
            MarkedNotes.Patience,
            "the result to be prolonged");

        Assert.True(hits > 2 * store.Count, $"{hits} hits prolonged the result {store.Count} times");

        Task<CacheOutcome?> OutcomeAsync() =>
            process.OutcomeAsync(c => c.Notes.Where(n => n.Text == _notes.Mark).Cacheable(TimeSpan.FromSeconds(3), isSliding: true).ToListAsync());
    }
}
