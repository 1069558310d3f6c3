using System.Diagnostics;
using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Caching;
using EfScaling.Caching.Redis;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What does a query cost that asks for the cache while Redis is down, or hangs?</summary>
/// <remarks>Plain EF runs the same query on the same server in turns with it. Contexts are kept.</remarks>
internal sealed class CacheOutage : IQuestion
{
    private const int BlockSize = 200;
    private const int Queries = 1_000;

    private static readonly RedisOptions _defaults = RedisOptions.Parse("redis");

    public string Title => "Query that asks for the cache while Redis is down or hangs, against plain EF on the same server";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(standbys: 0);
        await using var stopped = await RedisServer.StartAsync();
        await using var hanging = await RedisServer.StartAsync();
        var (down, silent) = (Options(servers, stopped), Options(servers, hanging));
        await ItemServers.WarmUpCacheAsync(down);
        await ItemServers.WarmUpCacheAsync(silent);
        await using var plain = new ItemContext(ItemServers.Options(servers.Cluster.Primary.ConnectionString));
        await using var withoutRedis = new ItemContext(down);
        await using var withSilence = new ItemContext(silent);

        await stopped.StopAsync();
        var afterStop = await OutageAsync(withoutRedis);
        await hanging.SuspendAsync();
        var afterSilence = await OutageAsync(withSilence);

        var pairs = new[] { withoutRedis, withSilence, plain }.Select(c => new InterleavedPair(Block(plain, isCached: false), Block(c, isCached: c != plain), BlockSize)).ToArray();
        await InterleavedPair.MeasureAsync(pairs, effort);
        return
        [
            Time("Redis is down, the circuit open", pairs[0]),
            Time("Redis hangs, the circuit open", pairs[1]),
            new Figure("control: plain EF against itself", null, Describe(pairs[2])),
            Waits("after Redis was stopped", afterStop, mostWaits: 0),
            Waits("after Redis began to hang", afterSilence, mostWaits: _defaults.FailuresToOpen),
        ];
    }

    // Results in memory would answer for a while, and hide what waiting for Redis costs.
    private static DbContextOptions<ItemContext> Options(ItemServers servers, RedisServer redis) => servers.CachedOptions(c => c.Redis(redis.Endpoint).LocalMemory(0));

    private static Func<int, Task> Block(ItemContext context, bool isCached) => async count =>
    {
        for (var i = 1; i <= count; i++)
        {
            await ReadAsync(context, i, isCached);
        }

        if (isCached && context.Database.LastRouting() is not { Cache.Outcome: CacheOutcome.StoreUnavailable })
        {
            throw new InvalidOperationException($"The cache was in use, '{context.Database.LastRouting()}': the outage is over.");
        }
    };

    private static Task<Item> ReadAsync(ItemContext context, int id, bool isCached) => isCached
        ? context.Items.AsNoTracking().Cacheable().FirstAsync(i => i.Id == id)
        : context.Items.AsNoTracking().FirstAsync(i => i.Id == id);

    /// <summary>Runs queries one after the other from the moment of the failure on.</summary>
    /// <returns>The milliseconds of each.</returns>
    private static async Task<double[]> OutageAsync(ItemContext context)
    {
        var times = new double[Queries];
        for (var i = 0; i < times.Length; i++)
        {
            var start = Stopwatch.GetTimestamp();
            await ReadAsync(context, i + 1, isCached: true);
            times[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }

        return times;
    }

    private static Figure Time(string name, InterleavedPair pair) => new($"time, {name}", "≤ 1.10", Describe(pair), pair.Ratio.Median <= 1.10);

    private static Figure Waits(string name, double[] times, int mostWaits)
    {
        var wait = _defaults.MaxWait.TotalMilliseconds;
        var waited = times.Count(t => t >= wait);
        return new Figure(
            $"queries of the first {Queries:N0} {name} that waited for MaxWait ({wait:0} ms)",
            string.Create(CultureInfo.InvariantCulture, $"≤ {mostWaits}"),
            string.Create(CultureInfo.InvariantCulture, $"{waited}; the longest took {times.Max():0.0} ms, the median {Percentile.Of([.. times.Order()], 0.5):0.00} ms"),
            waited <= mostWaits);
    }

    private static string Describe(InterleavedPair pair) => string.Create(
        CultureInfo.InvariantCulture, $"{pair.Ratio.ToString("0.000")}; {pair.Difference.Median:+0.0;-0.0} µs on {pair.BaselineTime.Median:0} µs");
}
