using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Caching;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What does a query cost that the cache answers from this process, or from Redis, or not at all?</summary>
/// <remarks>Plain EF runs the same query on the same server in turns with it. Contexts are kept, and track nothing.</remarks>
internal sealed class CachedQuery : IQuestion
{
    // Long enough for the processor to have the code of one side at hand.
    private const int BlockSize = 200;

    // Single misses, each after the writing of the one before has ended: as many as a block has queries.
    private const int MissesForPair = 10;
    private const int AllocationRounds = 15;

    private int _number;

    public string Title => "Cached query against plain EF on the same server";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(standbys: 0);
        await using var redis = await RedisServer.StartAsync();
        using var fills = new FillCount();
        var local = servers.CachedOptions(c => c.Redis(redis.Endpoint).Prefix("local"));
        var remote = servers.CachedOptions(c => c.Redis(redis.Endpoint).Prefix("remote").LocalMemory(0));
        await ItemServers.WarmUpCacheAsync(local);
        await ItemServers.WarmUpCacheAsync(remote);
        await using var plain = new ItemContext(ItemServers.Options(servers.Cluster.Primary.ConnectionString));
        await using var inMemory = new ItemContext(local);
        await using var inRedis = new ItemContext(remote);

        List<Variant> repeating = [];
        List<Variant> unique = [];
        foreach (var shape in CachedShape.Repeating)
        {
            var isSingle = shape.Rows == 1;
            repeating.AddRange(
                Variant.Both($"hit in memory, {shape.Name}", plain, shape.Plain, inMemory, shape.Cached, CacheOutcome.LocalHit, isSingle ? 0.09 : 0.07, isSingle ? 12 : 25));
            repeating.AddRange(
                Variant.Both($"hit in Redis, {shape.Name}", plain, shape.Plain, inRedis, shape.Cached, CacheOutcome.Hit, isSingle ? 0.40 : 0.30, isSingle ? 14 : 60));
            if (shape.Plain.Name == "entity")
            {
                repeating.AddRange(Variant.Both($"without Cacheable(), {shape.Name}", plain, shape.Plain, inMemory, shape.Plain, null, null, null));
            }
        }

        foreach (var shape in CachedShape.Unique)
        {
            unique.AddRange(Variant.Both($"miss, {shape.Name}", plain, Numbered(shape.Plain, null), inMemory, Numbered(shape.Cached, fills), CacheOutcome.Absent, 1.25, null));
        }

        var control = new InterleavedPair(Block(plain, CachedShape.Repeating[0].Plain.ReadAsync), Block(plain, CachedShape.Repeating[0].Plain.ReadAsync), BlockSize);
        var figures = new List<Figure>();
        var pairs = repeating.ConvertAll(v => v.Pair(BlockSize, prepare: null));
        await InterleavedPair.MeasureAsync([.. pairs, control], effort);
        foreach (var (variant, pair) in repeating.Zip(pairs))
        {
            figures.AddRange(await variant.FiguresAsync(pair));
        }

        var misses = unique.ConvertAll(v => v.Pair(blockSize: 1, fills.SettleAsync));
        await InterleavedPair.MeasureAsync(misses, effort with { Pairs = effort.Pairs * MissesForPair });
        foreach (var (variant, pair) in unique.Zip(misses))
        {
            figures.Add(variant.Time(pair));
        }

        var busy = unique.ConvertAll(v => v.Pair(BlockSize, fills.SettleAsync));
        await InterleavedPair.MeasureAsync(busy, effort);
        foreach (var (variant, pair) in unique.Zip(busy))
        {
            figures.Add(variant.Time(pair) with { Name = $"{variant.Name}, one after the other, while the ones before are written", Target = null, IsMet = true });
        }

        figures.Add(new Figure("control: plain EF against itself", null, Variant.Describe(control)));
        // EF notes for each row which thread reads it; that is most of what a hit of a hundred rows allocates.
        await using var lax = new ItemContext(new DbContextOptionsBuilder<ItemContext>(local).EnableThreadSafetyChecks(false).Options);
        var hundred = CachedShape.Repeating[2];
        var lean = new InterleavedPair(Block(plain, hundred.Plain.ReadAsync), Block(lax, hundred.Cached.ReadAsync), BlockSize);
        await InterleavedPair.MeasureAsync([lean], effort);
        var leanBytes = await lean.CandidateAllocationsAsync(AllocationRounds);
        figures.Add(new Figure(
            $"hit in memory, {hundred.Name}, async, EnableThreadSafetyChecks(false)",
            null,
            string.Create(CultureInfo.InvariantCulture, $"{Variant.Describe(lean)}; {leanBytes.Median / 1000:0.0} kB")));
        figures.Add(await PayloadAsync(servers, redis, "one", context => context.Items.AsNoTracking().Cacheable().FirstAsync(i => i.Id == 1), 300));
        figures.Add(await PayloadAsync(servers, redis, "hundred", context => context.Items.AsNoTracking().Where(i => i.Id <= 100).Cacheable().ToListAsync(), 16_000));
        return figures;
    }

    private static Func<int, Task> Block(ItemContext context, Func<ItemContext, int, Task> read) => async count =>
    {
        for (var i = 1; i <= count; i++)
        {
            await read(context, i);
        }
    };

    // Each call has another number than all others, of this shape and the rest.
    private ReadShape Numbered(ReadShape shape, FillCount? fills)
    {
        return new ReadShape(shape.Name, (context, _) => shape.Read(context, Next()), (context, _) => shape.ReadAsync(context, Next()));

        int Next()
        {
            fills?.Expect();
            return ++_number;
        }
    }

    private static async Task<Figure> PayloadAsync(ItemServers servers, RedisServer redis, string rows, Func<ItemContext, Task> query, int most)
    {
        var prefix = $"payload-{rows}";
        await using var context = new ItemContext(servers.CachedOptions(c => c.Redis(redis.Endpoint).Prefix(prefix)));
        string? key = null;
        await Eventually.ThatAsync(
            async () =>
            {
                await query(context);
                key = await redis.ExecuteAsync("EVAL", "return redis.call('KEYS', ARGV[1])[1]", "0", $"{prefix}*:q:*");
                return key is not null;
            },
            TimeSpan.FromSeconds(30),
            "a result in Redis");
        var size = int.Parse((await redis.ExecuteAsync("STRLEN", key!))!, CultureInfo.InvariantCulture);
        return new Figure($"payload of {rows} row{(rows == "one" ? "" : "s")}", FormattableString.Invariant($"≤ {most:N0} B"), FormattableString.Invariant($"{size:N0} B"), size <= most);
    }

    private sealed record Variant(string Name, Func<int, Task> Baseline, Func<int, Task> Candidate, Outcomes? Outcomes, double? MaxRatio, int? MaxKilobytes)
    {
        public static IEnumerable<Variant> Both(
            string name, ItemContext plain, ReadShape baseline, ItemContext cached, ReadShape candidate, CacheOutcome? outcome, double? maxRatio, int? maxKilobytes)
        {
            var (sync, async) = outcome is { } wanted ? (new Outcomes(wanted), new Outcomes(wanted)) : (null, null);
            yield return new($"{name}, sync", Sync(plain, baseline, null), Sync(cached, candidate, sync), sync, maxRatio, maxKilobytes);
            yield return new($"{name}, async", Async(plain, baseline, null), Async(cached, candidate, async), async, maxRatio, maxKilobytes);
        }

        public static string Describe(InterleavedPair pair) => string.Create(
            CultureInfo.InvariantCulture, $"{pair.Ratio.ToString("0.000")}; {pair.Difference.Median:+0.0;-0.0} µs on {pair.BaselineTime.Median:0} µs");

        public InterleavedPair Pair(int blockSize, Func<Task>? prepare) => new(Baseline, Candidate, blockSize, prepare);

        // Without a limit there must be no difference that can be measured.
        public Figure Time(InterleavedPair pair) => new(
            $"time, {Name}",
            MaxRatio is null ? "1, by the interval" : string.Create(CultureInfo.InvariantCulture, $"≤ {MaxRatio:0.00}"),
            Outcomes is null ? Describe(pair) : $"{Describe(pair)}; {Outcomes}",
            MaxRatio is null ? pair.Ratio.Low <= 1 : pair.Ratio.Median <= MaxRatio);

        public async Task<Figure[]> FiguresAsync(InterleavedPair pair)
        {
            var more = await pair.AllocationsAsync(AllocationRounds);
            var all = await pair.CandidateAllocationsAsync(AllocationRounds);
            return
            [
                Time(pair),
                MaxKilobytes is null
                    ? new Figure($"allocations, {Name}", "≤ +300 B", string.Create(CultureInfo.InvariantCulture, $"{more.Median:+0;-0;0} B"), more.Median <= 300)
                    : new Figure(
                        $"allocations, {Name}",
                        string.Create(CultureInfo.InvariantCulture, $"≤ {MaxKilobytes} kB"),
                        string.Create(CultureInfo.InvariantCulture, $"{all.Median / 1000:0.0} kB, {more.Median / 1000:+0.0;-0.0;0.0} kB against plain EF"),
                        all.Median <= MaxKilobytes * 1000),
            ];
        }

        // The last of each block tells for the block: to look at each would be part of what is measured.
        private static Func<int, Task> Sync(ItemContext context, ReadShape shape, Outcomes? outcomes) => count =>
        {
            for (var i = 1; i <= count; i++)
            {
                shape.Read(context, i);
            }

            outcomes?.Add(context);
            return Task.CompletedTask;
        };

        private static Func<int, Task> Async(ItemContext context, ReadShape shape, Outcomes? outcomes) => async count =>
        {
            for (var i = 1; i <= count; i++)
            {
                await shape.ReadAsync(context, i);
            }

            outcomes?.Add(context);
        };
    }

    // How often the cache did what is measured.
    private sealed class Outcomes(CacheOutcome wanted)
    {
        private int _all;
        private int _wanted;

        public void Add(ItemContext context)
        {
            _all++;
            _wanted += context.Database.LastRouting()?.Cache?.Outcome == wanted ? 1 : 0;
        }

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{wanted} {_wanted / (double)_all:P1}");
    }
}
