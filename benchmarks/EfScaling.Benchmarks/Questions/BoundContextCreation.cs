using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What does it cost to get a context of a key's shard from the factory? No server takes part.</summary>
internal sealed class BoundContextCreation : IQuestion
{
    private const int BlockSize = 2_000;
    private const double MaxMicroseconds = 1.5;
    private const string Server = "Host=primary;Database=app;Username=app;Password=secret";

    public string Title => "Pooled context of a key's shard, against plain EF's pooled factory";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        var plain = new PooledDbContextFactory<ItemContext>(ItemServers.Options(Server));
        var four = ShardedItemContext.Factory([Server], shards: 4);
        var thousand = ShardedItemContext.Factory([Server], shards: 1_000);
        var variants = new List<(string Name, InterleavedPair Pair)>
        {
            ("of a key's shard, 4 shards", new InterleavedPair(Block(_ => plain.CreateDbContext()), Block(i => four.CreateDbContext(ShardKey.Of(i))), BlockSize)),
            ("of a key's shard, 1,000 shards", new InterleavedPair(Block(_ => plain.CreateDbContext()), Block(i => thousand.CreateDbContext(ShardKey.Of(i))), BlockSize)),
            ("over all shards, 1,000 shards", new InterleavedPair(Block(_ => plain.CreateDbContext()), Block(_ => thousand.CreateDbContext()), BlockSize)),
        };
        await InterleavedPair.MeasureAsync([.. variants.Select(v => v.Pair)], effort);

        var figures = new List<Figure>();
        foreach (var (name, pair) in variants)
        {
            // Nothing here waits, so the processor time is the time, and another program on the same core does not count.
            var added = pair.ProcessorDifference;
            var bytes = await pair.AllocationsAsync(rounds: 5);
            figures.Add(new Figure(
                $"context {name}, lent and returned",
                string.Create(CultureInfo.InvariantCulture, $"≤ +{MaxMicroseconds:0.0} µs"),
                string.Create(CultureInfo.InvariantCulture, $"{added.ToString("+0.00;-0.00;0.00")} µs on {pair.BaselineProcessorTime.Median:0.00} µs; {bytes.Median:+0;-0;0} B"),
                added.Median <= MaxMicroseconds));
        }

        return figures;
    }

    private static Func<int, Task> Block(Func<int, ItemContext> rent) => count =>
    {
        for (var i = 0; i < count; i++)
        {
            rent(i).Dispose();
        }

        return Task.CompletedTask;
    };
}
