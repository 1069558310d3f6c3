using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What does it add to a query of one row that its shard is found by its key?</summary>
/// <remarks>Each of the four shards has all rows, and either side has pools of its own for each.</remarks>
internal sealed class ShardedQuery : IQuestion
{
    private const int BlockSize = 100;
    private const int Shards = 4;
    private const double MaxRatio = 1.03;
    private const int MaxBytes = 800;

    public string Title => "Query of one row that names its shard key, against plain EF on that shard";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(standbys: 0);
        var databases = new List<string>();
        for (var i = 0; i < Shards; i++)
        {
            databases.Add(await servers.CreateDatabaseAsync(string.Create(CultureInfo.InvariantCulture, $"items{i}")));
        }

        var sharded = ShardedItemContext.Factory(databases, Shards);
        await using var keptSharded = sharded.CreateDbContext();

        // Plain EF has a pool for each shard, too, and knows which to take: what several connections cost is not the question.
        var pools = sharded.Shards.Zip(databases).ToDictionary(
            s => s.First, s => new PooledDbContextFactory<ItemContext>(ItemServers.Options(new NpgsqlConnectionStringBuilder(s.Second) { ApplicationName = "plain" }.ConnectionString)));
        PooledDbContextFactory<ItemContext>[] poolOf = [.. Enumerable.Range(0, BlockSize + 1).Select(id => pools[sharded.ShardOf(ShardKey.Of(id))])];
        var kept = pools.Values.ToDictionary(p => p, p => p.CreateDbContext());
        ItemContext[] keptOf = [.. poolOf.Select(p => kept[p])];
        (string Name, Func<int, ItemContext> Plain, Func<int, ItemContext> Sharded, bool IsKept)[] styles =
        [
            ("kept context over all shards", id => keptOf[id], _ => keptSharded, true),
            ("pooled context over all shards", id => poolOf[id].CreateDbContext(), _ => sharded.CreateDbContext(), false),
            ("pooled context of the shard", id => poolOf[id].CreateDbContext(), id => sharded.CreateDbContext(ShardKey.Of(id)), false),
        ];
        var variants = new List<(string Name, InterleavedPair Pair)>();
        foreach (var shape in ReadShape.SingleRow)
        {
            foreach (var style in styles)
            {
                variants.Add(($"{shape.Name}, {style.Name}, sync", new InterleavedPair(Sync(shape, style.Plain, style.IsKept), Sync(shape, style.Sharded, style.IsKept), BlockSize)));
                variants.Add(($"{shape.Name}, {style.Name}, async", new InterleavedPair(Async(shape, style.Plain, style.IsKept), Async(shape, style.Sharded, style.IsKept), BlockSize)));
            }
        }

        var control = new InterleavedPair(Async(ReadShape.SingleRow[0], styles[1].Plain, false), Async(ReadShape.SingleRow[0], styles[1].Plain, false), BlockSize);
        variants.Add(("control: plain EF against itself", control));
        await InterleavedPair.MeasureAsync([.. variants.Select(v => v.Pair)], effort);

        var figures = new List<Figure>();
        foreach (var (name, pair) in variants)
        {
            var isControl = ReferenceEquals(pair, control);
            var ratio = pair.Ratio;
            figures.Add(new Figure(
                $"time, {name}",
                isControl ? null : string.Create(CultureInfo.InvariantCulture, $"≤ {MaxRatio:0.00}"),
                string.Create(CultureInfo.InvariantCulture, $"{ratio.ToString("0.000")}; {pair.Difference.Median:+0.0;-0.0} µs on {pair.BaselineTime.Median:0} µs; processor {pair.ProcessorDifference.Median:+0.0;-0.0} µs on {pair.BaselineProcessorTime.Median:0} µs"),
                isControl || ratio.Median <= MaxRatio));
            var bytes = await pair.AllocationsAsync(rounds: 15);
            figures.Add(new Figure($"allocations, {name}", isControl ? null : $"≤ +{MaxBytes} B", string.Create(CultureInfo.InvariantCulture, $"{bytes.Median:+0;-0;0} B"), isControl || bytes.Median <= MaxBytes));
        }

        return figures;
    }

    private static Func<int, Task> Sync(ReadShape shape, Func<int, ItemContext> rent, bool isKept) => count =>
    {
        for (var i = 1; i <= count; i++)
        {
            var context = rent(i);
            shape.Read(context, i);
            if (!isKept)
            {
                context.Dispose();
            }
        }

        return Task.CompletedTask;
    };

    private static Func<int, Task> Async(ReadShape shape, Func<int, ItemContext> rent, bool isKept) => async count =>
    {
        for (var i = 1; i <= count; i++)
        {
            var context = rent(i);
            await shape.ReadAsync(context, i);
            if (!isKept)
            {
                await context.DisposeAsync();
            }
        }
    };
}
