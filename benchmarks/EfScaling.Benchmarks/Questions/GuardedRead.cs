using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Routing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What does it add to a read that the replica itself proves to be fresh enough, in front of the query?</summary>
/// <remarks>Both sides are routed to the same standby. A write and its replay come before each block; one side's context knows of the write.</remarks>
internal sealed class GuardedRead : IQuestion
{
    private const int BlockSize = 50;
    private const double MaxRatio = 1.35;

    // So rare that hardly a probe comes between a write and the block after it, which would prove what the guard is for.
    private static readonly TimeSpan _probeInterval = TimeSpan.FromSeconds(2);

    public string Title => "Guarded read against an unguarded one on the same replica";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(standbys: 1);
        var options = servers.RoutedOptions(1, r => r.ProbeInterval(_probeInterval).MaxStaleness(TimeSpan.FromMinutes(1)));
        await using var writer = new ItemContext(options);
        await using var unguarded = new ItemContext(options);
        await using var guarded = new ItemContext(options);
        await ItemServers.WarmUpAsync(new ContextStyle("kept context", () => guarded, IsKept: true), replicas: 1);
        var reads = new Counts();

        async Task WriteAsync()
        {
            await using (var transaction = await writer.Database.BeginTransactionAsync())
            {
                await writer.Beats.ExecuteUpdateAsync(s => s.SetProperty(b => b.Number, b => b.Number + 1));
                await transaction.CommitAsync();
            }

            guarded.Database.UseConsistencyToken(await writer.Database.GetConsistencyTokenAsync());
            await servers.Cluster.WaitForReplicationAsync();
        }

        var shapes = ReadShape.SingleRow.Concat(ReadShape.HundredRows.Select(s => s with { Name = $"100 rows, {s.Name}" })).ToList();
        var variants = shapes
            .SelectMany(shape => new[]
            {
                ($"{shape.Name}, sync", new InterleavedPair(Sync(shape, unguarded, null), Sync(shape, guarded, reads), BlockSize, WriteAsync)),
                ($"{shape.Name}, async", new InterleavedPair(Async(shape, unguarded, null), Async(shape, guarded, reads), BlockSize, WriteAsync)),
            })
            .ToList();
        await InterleavedPair.MeasureAsync([.. variants.Select(v => v.Item2)], effort);

        var figures = variants.ConvertAll(v => new Figure(
            $"time, {v.Item1}",
            v.Item1.StartsWith("100", StringComparison.Ordinal) ? null : string.Create(CultureInfo.InvariantCulture, $"≤ {MaxRatio:0.00}"),
            string.Create(CultureInfo.InvariantCulture, $"{v.Item2.Ratio.ToString("0.000")}; {v.Item2.Difference.Median:+0.0;-0.0} µs on {v.Item2.BaselineTime.Median:0} µs"),
            v.Item2.Ratio.Median <= MaxRatio));
        var share = reads.Guarded / (double)reads.All;
        figures.Add(new Figure("reads of the guarded side that were guarded", "≥ 95 %", string.Create(CultureInfo.InvariantCulture, $"{share:P1} of {reads.All:N0}"), share >= 0.95));
        return figures;
    }

    private static Func<int, Task> Sync(ReadShape shape, ItemContext context, Counts? counts) => count =>
    {
        for (var i = 1; i <= count; i++)
        {
            shape.Read(context, i);
            counts?.Add(context);
        }

        return Task.CompletedTask;
    };

    private static Func<int, Task> Async(ReadShape shape, ItemContext context, Counts? counts) => async count =>
    {
        for (var i = 1; i <= count; i++)
        {
            await shape.ReadAsync(context, i);
            counts?.Add(context);
        }
    };

    private sealed class Counts
    {
        public long All { get; private set; }

        public long Guarded { get; private set; }

        public void Add(ItemContext context)
        {
            All++;
            Guarded += context.Database.LastRouting()!.Value.Reason == RoutingReason.GuardedReplica ? 1 : 0;
        }
    }
}
