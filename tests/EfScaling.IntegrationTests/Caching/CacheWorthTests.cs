using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Results that writes make old before they are used are not sent to the store, and are right all the same.</summary>
public sealed class CacheWorthTests(ClusterFixture fixture)
{
    private const int Rounds = 20;

    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Fact]
    public async Task A_table_that_is_written_all_the_time_costs_no_put_per_read_and_is_cached_soon_after_the_writes_end()
    {
        await using var redis = await RedisServer.StartAsync();
        var (here, there) = (await StartAsync(redis), await StartAsync(redis));
        var reads = 0;
        while (!IsWrittenTooOften(here))
        {
            await _notes.AddAsync(there);
            Assert.True(await ReadAsync(here) is CacheOutcome.Absent or CacheOutcome.Stale);
            Assert.InRange(++reads, 1, FillBalance.Most + Rounds);
        }

        Assert.InRange(reads, FillBalance.Most, FillBalance.Most + Rounds);
        var (began, refused, kept) = (TimeProvider.System.GetTimestamp(), 0, await KeptAsync(redis));
        var puts = 0;
        for (var i = 0; i < Rounds; i++)
        {
            await _notes.AddAsync(there);
            refused += await ReadAsync(here) == CacheOutcome.WrittenTooOften ? 1 : 0;
            puts += kept == (kept = await KeptAsync(redis)) ? 0 : 1;
        }

        // Now and then one is kept all the same, and the newest of those before may have been on its way.
        var probes = (int)(TimeProvider.System.GetElapsedTime(began) / FillBalance.ProbePause) + 1;
        Assert.InRange(refused, Rounds - probes, Rounds);
        Assert.InRange(puts, 0, probes + 1);

        // The last read of the writes was the first one of their versions, or one that was kept all the same.
        Assert.True(await ReadAsync(here) is CacheOutcome.Stale or CacheOutcome.Hit or CacheOutcome.LocalHit);
        await Eventually.ThatAsync(async () => await ReadAsync(here) == CacheOutcome.Hit && !IsWrittenTooOften(here), MarkedNotes.Patience, "all results to be kept again");
        await _notes.AddAsync(there);
        Assert.Equal(CacheOutcome.Stale, await ReadAsync(here));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Who_asks_for_it_has_everything_kept(bool isSetting, bool isExpensive)
    {
        await using var redis = await RedisServer.StartAsync();
        var process = await StartAsync(redis, isSetting);
        for (var i = 0; i < FillBalance.Most + Rounds; i++)
        {
            await _notes.AddAsync(process);
            var outcome = await process.OutcomeAsync(c => isExpensive ? _notes.Query(c).AsExpensive().ToListAsync() : _notes.Query(c).ToListAsync());
            Assert.True(outcome is CacheOutcome.Absent or CacheOutcome.Stale, $"{i}: {outcome}");
            Assert.False(IsWrittenTooOften(process, isExpensive));
        }
    }

    private async Task<CacheOutcome?> ReadAsync(CachedBlogs process)
    {
        var truth = await _notes.TruthAsync();
        return await process.OutcomeAsync(async c =>
        {
            var notes = await _notes.Query(c).ToListAsync();
            Assert.Equal(truth, notes.Count);
            return notes;
        });
    }

    private bool IsWrittenTooOften(CachedBlogs process, bool isExpensive = false)
    {
        using var context = process.Context();
        var plan = (isExpensive ? _notes.Query(context).AsExpensive() : _notes.Query(context)).ToRoutingString();
        return plan.Contains($"; new results are kept when they are asked for twice between writes, {CacheOutcome.WrittenTooOften}", StringComparison.Ordinal);
    }

    // Tells whether the store was given another result. The one of the query that waits for the cache is always there and the same.
    private static async Task<string?> KeptAsync(RedisServer redis) => await redis.ExecuteAsync(
        "EVAL", "local keys, all = redis.call('KEYS', 'efs:*:q:*'), '' table.sort(keys) for _, key in ipairs(keys) do all = all .. redis.call('GET', key) end return redis.sha1hex(all)", "0");

    private Task<CachedBlogs> StartAsync(RedisServer redis, bool keepsDespiteWrites = false) => CachedBlogs.StartAsync(
        fixture.Cluster,
        c =>
        {
            c.Redis(MarkedNotes.To(redis.Endpoint)).LocalMemory(0);
            if (keepsDespiteWrites)
            {
                c.KeepDespiteWrites();
            }
        });
}
