using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What does a SaveChanges over several shards cost against one of as many rows on one shard, and that one against plain EF?</summary>
/// <remarks>Four shards are databases of one server that waits for the disk, so that what they could write at the same time they write one after the other.</remarks>
internal sealed class DistributedCommit : IQuestion
{
    private const int BlockSize = 20;
    private const int Shards = 4;
    private const double MaxRatioOfOne = 1.03;

    private static readonly (int Shards, double MaxRatio)[] _spans = [(2, 2.3), (4, 2.8)];

    public string Title => "SaveChanges over several shards, committed in two phases";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(standbys: 0, isDurable: true);
        var databases = new List<string>();
        for (var i = 0; i < Shards; i++)
        {
            databases.Add(await servers.CreateDatabaseAsync(string.Create(CultureInfo.InvariantCulture, $"items{i}")));
        }

        var sharded = ShardedItemContext.Factory(databases, Shards);
        await using (var setup = sharded.CreateDbContext())
        {
            await setup.Database.EnsureShardTransactionsCreatedAsync();
        }

        var byShard = Enumerable.Range(1, 400).GroupBy(id => sharded.ShardOf(ShardKey.Of(id))).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => g.ToArray()).ToArray();
        var variants = new List<(string Name, double? MaxRatio, InterleavedPair Pair)>();
        foreach (var (shards, maxRatio) in _spans)
        {
            var one = await SavesAsync(sharded, byShard[0].Take(shards));
            var several = await SavesAsync(sharded, byShard.Take(shards).Select(ids => ids[10]));
            variants.Add((string.Create(CultureInfo.InvariantCulture, $"{shards} rows over {shards} shards, against {shards} rows on one shard"), maxRatio, new InterleavedPair(one, several, BlockSize)));
        }

        var plain = await SavesAsync(new ItemContext(ItemServers.Options(databases[0])), byShard[0].Skip(20).Take(2));
        variants.Add(("2 rows on one shard of a spanning context, against plain EF", MaxRatioOfOne, new InterleavedPair(plain, await SavesAsync(sharded, byShard[0].Skip(30).Take(2)), BlockSize)));
        var other = await SavesAsync(new ItemContext(ItemServers.Options(databases[0])), byShard[0].Skip(40).Take(2));
        variants.Add(("control: plain EF against itself", null, new InterleavedPair(plain, other, BlockSize)));
        await InterleavedPair.MeasureAsync([.. variants.Select(v => v.Pair)], effort);

        return
        [
            .. variants.Select(v => new Figure(
                v.Name,
                v.MaxRatio is { } limit ? string.Create(CultureInfo.InvariantCulture, $"≤ {limit:0.00}") : null,
                string.Create(CultureInfo.InvariantCulture, $"{v.Pair.Ratio.ToString("0.000")}; {v.Pair.Difference.Median:+0;-0} µs on {v.Pair.BaselineTime.Median:0} µs"),
                v.MaxRatio is not { } most || v.Pair.Ratio.Median <= most)),
        ];
    }

    private static Task<Func<int, Task>> SavesAsync(ShardedDbContextFactory<ShardedItemContext> factory, IEnumerable<int> ids) => SavesAsync(factory.CreateDbContext(), ids);

    // Changes rows that a kept context tracks, and saves them.
    private static async Task<Func<int, Task>> SavesAsync(ItemContext context, IEnumerable<int> ids)
    {
        var items = new List<Item>();
        foreach (var id in ids)
        {
            items.Add(await context.Items.SingleAsync(i => i.Id == id));
        }

        return async count =>
        {
            for (var i = 0; i < count; i++)
            {
                foreach (var item in items)
                {
                    item.Stock++;
                }

                if (await context.SaveChangesAsync() != items.Count)
                {
                    throw new InvalidOperationException("A row was not saved.");
                }
            }
        };
    }
}
