using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What does a query over four shards take, against the same on one of them, and against foreign tables over them?</summary>
internal sealed class ScatterQuery : IQuestion
{
    private const double MaxPage = 2.0;
    private const double MaxTotals = 1.3;
    private const double MinAdvantage = 5;

    public string Title => "Queries over four shards of one server, against one shard, and against postgres_fdw over the same shards";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await EventServers.StartAsync();
        await using var sharded = servers.Sharded();
        await using var coordinator = servers.On(servers.Coordinator);
        EventContext[] alone = [.. servers.Databases.Select(servers.On)];

        var page = new InterleavedPair(Block(() => PageAsync(alone[0])), Block(() => PageAsync(sharded)), 10);
        var pageByHand = new InterleavedPair(Block(() => PageAsync(alone[0])), Block(() => Task.WhenAll(alone.Select(PageAsync))), 10);
        var totals = new InterleavedPair(Block(() => TotalsAsync(alone[0])), Block(() => TotalsAsync(sharded)), 2);
        var byHand = new InterleavedPair(Block(() => TotalsAsync(alone[0])), Block(() => Task.WhenAll(alone.Select(TotalsAsync))), 2);
        var waiting = new InterleavedPair(Block(() => WaitAsync(alone[0])), Block(() => WaitAsync(sharded)), 2);
        var foreignPage = new InterleavedPair(Block(() => PageAsync(sharded)), Block(() => PageAsync(coordinator)), 5);
        var foreignTotals = new InterleavedPair(Block(() => TotalsAsync(sharded)), Block(() => TotalsAsync(coordinator)), 1);
        await InterleavedPair.MeasureAsync([page, pageByHand, totals, byHand, waiting, foreignPage, foreignTotals], effort with { Pairs = Math.Min(effort.Pairs, 12) });
        foreach (var context in alone)
        {
            await context.DisposeAsync();
        }

        return
        [
            Ratio("newest 20 of all, against those of one shard", page, MaxPage),
            ByHand("the same by four contexts of plain EF at once, not merged", pageByHand),
            Ratio("count and sum of all, against those of one shard", totals, MaxTotals),
            ByHand("the same by four contexts of plain EF at once", byHand),
            Ratio("count and sum that take 20 ms on each shard without its processor, against one shard", waiting, MaxTotals),
            Advantage("newest 20 by foreign tables", foreignPage),
            Advantage("count and sum by foreign tables", foreignTotals),
        ];
    }

    private static Figure Ratio(string name, InterleavedPair pair, double most) => new(
        name,
        string.Create(CultureInfo.InvariantCulture, $"≤ {most:0.0}"),
        string.Create(CultureInfo.InvariantCulture, $"{pair.Ratio.ToString("0.00")}; {pair.Difference.Median:+0;-0} µs on {pair.BaselineTime.Median:0} µs"),
        pair.Ratio.Median <= most);

    // The shards share the processors.
    private static Figure ByHand(string name, InterleavedPair pair) => new(name, null, pair.Ratio.ToString("0.00"));

    private static Figure Advantage(string name, InterleavedPair pair) => new(
        name,
        string.Create(CultureInfo.InvariantCulture, $"≥ {MinAdvantage:0} times as long"),
        string.Create(CultureInfo.InvariantCulture, $"{pair.Ratio.ToString("0.0")} times as long as {pair.BaselineTime.Median:0} µs"),
        pair.Ratio.Median >= MinAdvantage);

    private static Func<int, Task> Block(Func<Task> query) => async count =>
    {
        for (var i = 0; i < count; i++)
        {
            await query();
        }
    };

    private static Task<List<Occurrence>> PageAsync(EventContext context) => context.Events.AsNoTracking().OrderByDescending(e => e.At).Take(20).ToListAsync();

    private static Task TotalsAsync(EventContext context) =>
        context.Events.GroupBy(_ => 1).Select(g => new { Count = g.Count(), Sum = g.Sum(e => (long)e.Value) }).FirstAsync();

    private static async Task WaitAsync(EventContext context) => await
        context.Events.Where(e => e.Owner < EventServers.Shards && e.Id == 1000 && EventContext.Sleep(0.02) != null).GroupBy(_ => 1).Select(g => new { Count = g.Count(), Sum = g.Sum(e => (long)e.Value) }).FirstAsync();
}
