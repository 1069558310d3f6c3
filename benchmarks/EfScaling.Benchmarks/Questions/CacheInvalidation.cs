using System.Globalization;
using System.Text.RegularExpressions;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Caching;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What does it add to a write of five tables that their cached results become old?</summary>
/// <remarks>On a disk that commits wait for. One Redis is empty, one holds a hundred thousand results, and one is so far away that its round trips can be counted.</remarks>
internal sealed partial class CacheInvalidation : IQuestion
{
    private const int BlockSize = 20;
    private const int BlockSizeFarAway = 4;
    private const double MaxRatio = 1.15;
    private const double MaxRoundTrips = 1.25;
    private const int Entries = 100_000;
    private const int EntriesAtOnce = 5_000;
    private const int Rows = 8;
    private const int CountedWrites = 20;
    private static readonly TimeSpan _delay = TimeSpan.FromMilliseconds(8);

    public string Title => "SaveChanges of 5 rows in 5 tables, with their results made old, against plain EF";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(standbys: 0, isDurable: true);
        await using var empty = await RedisServer.StartAsync();
        await using var full = await RedisServer.StartAsync();
        await using var far = await TcpProxy.StartAsync(empty.Host, empty.Port);
        await using var plain = new TallyContext(Options(servers, null));
        await plain.CreateAsync(Rows);
        plain.ChangeTracker.Clear();
        await using var other = new TallyContext(Options(servers, null));
        await using var overEmpty = new TallyContext(Options(servers, c => c.Redis(empty.Endpoint)));
        await using var overFull = new TallyContext(Options(servers, c => c.Redis(full.Endpoint)));
        await using var overFar = new TallyContext(Options(servers, c => c.Redis($"{far.Host}:{far.Port}").Prefix("far")));
        TallyContext[] contexts = [plain, other, overEmpty, overFull, overFar];
        for (var i = 0; i < contexts.Length; i++)
        {
            await contexts[i].LoadAsync(i + 1);
        }

        foreach (var context in contexts[2..])
        {
            await WarmUpAsync(context);
        }

        await FillAsync(full);
        far.Delay = _delay;
        var distance = await RoundTrip.MeasureAsync(far.Host, far.Port);

        InterleavedPair[] pairs =
        [
            new(Sync(plain), Sync(overEmpty), BlockSize),
            new(Async(plain), Async(overEmpty), BlockSize),
            new(Sync(plain), Sync(overFull), BlockSize),
            new(Async(plain), Async(overFull), BlockSize),
            new(Async(overEmpty), Async(overFull), BlockSize),
            new(Async(plain), Async(other), BlockSize),
        ];
        InterleavedPair[] farAway = [new(Sync(plain), Sync(overFar), BlockSizeFarAway), new(Async(plain), Async(overFar), BlockSizeFarAway)];
        await InterleavedPair.MeasureAsync(pairs, effort);
        await InterleavedPair.MeasureAsync(farAway, effort);
        var scripts = await ScriptsAsync(empty, overEmpty);
        return
        [
            Ratio("no results in Redis, sync", pairs[0]),
            Ratio("no results in Redis, async", pairs[1]),
            Ratio($"{Entries:N0} results in Redis, sync", pairs[2]),
            Ratio($"{Entries:N0} results in Redis, async", pairs[3]),
            new Figure($"{Entries:N0} results against none", "1, by the interval", Describe(pairs[4]), pairs[4].Ratio.Low <= 1),
            RoundTrips("sync", farAway[0], distance),
            RoundTrips("async", farAway[1], distance),
            new Figure(
                "scripts sent to Redis by a write, one of them beside its statements",
                "≤ 2",
                string.Create(CultureInfo.InvariantCulture, $"{scripts:0.0}"),
                scripts <= 2.1),
            new Figure("control: plain EF against itself", null, Describe(pairs[5])),
        ];
    }

    private static DbContextOptions<TallyContext> Options(ItemServers servers, Action<QueryCacheOptionsBuilder>? configure)
    {
        var options = new DbContextOptionsBuilder<TallyContext>();
        options.UseNpgsql(servers.Cluster.Primary.ConnectionString);
        if (configure is not null)
        {
            options.UseQueryCache(configure);
        }

        return options.Options;
    }

    private static Task WarmUpAsync(TallyContext context) => Eventually.ThatAsync(
        async () =>
        {
            _ = await context.Set<Tally>(TallyContext.Types[0]).Where(t => t.Id == 0).Cacheable(TimeSpan.FromHours(1)).CountAsync();
            return context.Database.LastRouting() is { Cache.IsHit: true };
        },
        TimeSpan.FromSeconds(30),
        "the query cache to answer");

    // Copies of a real one under other keys of the same kind, a few at a time: Redis serves nobody else meanwhile.
    private static async Task FillAsync(RedisServer redis)
    {
        const string script = """
            local key = redis.call('KEYS', '*:q:*')[1]
            local value, stem = redis.call('GET', key), string.sub(key, 1, -33)
            for i = ARGV[1], ARGV[2] do redis.call('SET', stem .. string.format('%032x', i), value, 'PX', 3600000) end
            """;
        for (var first = 1; first <= Entries; first += EntriesAtOnce)
        {
            await redis.ExecuteAsync("EVAL", script, "0", Text(first), Text(first + EntriesAtOnce - 1));
        }

        static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
    }

    private static async Task<double> ScriptsAsync(RedisServer redis, TallyContext context)
    {
        var before = await CallsAsync(redis);
        await Async(context)(CountedWrites);
        return (await CallsAsync(redis) - before) / (double)CountedWrites;
    }

    private static async Task<long> CallsAsync(RedisServer redis)
    {
        var text = await redis.ExecuteAsync("INFO", "commandstats");
        return ScriptCalls().Matches(text!).Sum(m => long.Parse(m.Groups["calls"].Value, CultureInfo.InvariantCulture));
    }

    [GeneratedRegex(@"cmdstat_eval(sha)?:calls=(?<calls>\d+)", RegexOptions.ExplicitCapture)]
    private static partial Regex ScriptCalls();

    private static Func<int, Task> Sync(TallyContext context) => count =>
    {
        for (var i = 0; i < count; i++)
        {
            context.Change();
            context.SaveChanges();
        }

        return Task.CompletedTask;
    };

    private static Func<int, Task> Async(TallyContext context) => async count =>
    {
        for (var i = 0; i < count; i++)
        {
            context.Change();
            await context.SaveChangesAsync();
        }
    };

    private static Figure Ratio(string name, InterleavedPair pair) => new(
        $"time, {name}",
        string.Create(CultureInfo.InvariantCulture, $"≤ {MaxRatio:0.00}"),
        Describe(pair),
        pair.Ratio.Median <= MaxRatio);

    private static Figure RoundTrips(string name, InterleavedPair pair, double distance)
    {
        var added = pair.Difference.Median / 1000;
        return new Figure(
            $"round trips that a write waits for, {name}",
            string.Create(CultureInfo.InvariantCulture, $"1 (≤ {MaxRoundTrips:0.00})"),
            string.Create(CultureInfo.InvariantCulture, $"{added / distance:0.00}; {added:+0.0;-0.0} ms with Redis {distance:0.0} ms away"),
            added / distance <= MaxRoundTrips);
    }

    private static string Describe(InterleavedPair pair) => string.Create(
        CultureInfo.InvariantCulture, $"{pair.Ratio.ToString("0.000")}; {pair.Difference.Median:+0.0;-0.0} µs on {pair.BaselineTime.Median:0} µs");
}
