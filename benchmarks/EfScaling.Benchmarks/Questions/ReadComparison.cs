using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>Compares routed reads with plain EF on the very standby that the router sends them to.</summary>
internal sealed class ReadComparison(IReadOnlyList<ReadShape> shapes, int blockSize, double maxRatio, int? maxBytes)
{
    public async Task<IReadOnlyList<Figure>> MeasureAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(standbys: 1);
        var plain = ContextStyle.Plain(servers);
        var routed = ContextStyle.Routed(servers);
        var standby = servers.Cluster.Standbys[0];
        var node = $"{standby.Host}:{standby.Port}";
        foreach (var style in routed)
        {
            await ItemServers.WarmUpAsync(style, replicas: 1);
        }

        var variants = new List<(string Name, InterleavedPair Pair)>();
        foreach (var shape in shapes)
        {
            foreach (var (own, ours) in plain.Zip(routed))
            {
                variants.Add(($"{shape.Name}, {own.Name}, sync", new InterleavedPair(Sync(shape, own, null), Sync(shape, ours, node), blockSize)));
                variants.Add(($"{shape.Name}, {own.Name}, async", new InterleavedPair(Async(shape, own, null), Async(shape, ours, node), blockSize)));
            }
        }

        var control = new InterleavedPair(Async(shapes[0], plain[2], null), Async(shapes[0], plain[2], null), blockSize);
        variants.Add(("control: plain EF against itself", control));

        await InterleavedPair.MeasureAsync([.. variants.Select(v => v.Pair)], effort);

        var figures = new List<Figure>();
        foreach (var (name, pair) in variants)
        {
            var isControl = ReferenceEquals(pair, control);
            var ratio = pair.Ratio;
            figures.Add(new Figure(
                $"time, {name}",
                isControl ? null : string.Create(CultureInfo.InvariantCulture, $"≤ {maxRatio:0.00}"),
                string.Create(CultureInfo.InvariantCulture, $"{ratio.ToString("0.000")}; {pair.Difference.Median:+0.0;-0.0} µs on {pair.BaselineTime.Median:0} µs; processor {pair.ProcessorDifference.Median:+0.0;-0.0} µs on {pair.BaselineProcessorTime.Median:0} µs"),
                ratio.Median <= maxRatio));
            var bytes = await pair.AllocationsAsync(rounds: 15);
            figures.Add(new Figure(
                $"allocations, {name}",
                isControl || maxBytes is null ? null : $"≤ +{maxBytes} B",
                string.Create(CultureInfo.InvariantCulture, $"{bytes.Median:+0;-0;0} B"),
                maxBytes is null || bytes.Median <= maxBytes));
        }

        return figures;
    }

    private static Func<int, Task> Sync(ReadShape shape, ContextStyle style, string? node) => count =>
    {
        for (var i = 1; i <= count; i++)
        {
            var context = style.Rent();
            shape.Read(context, i);
            if (i == count)
            {
                Require(context, node);
            }

            if (!style.IsKept)
            {
                context.Dispose();
            }
        }

        return Task.CompletedTask;
    };

    private static Func<int, Task> Async(ReadShape shape, ContextStyle style, string? node) => async count =>
    {
        for (var i = 1; i <= count; i++)
        {
            var context = style.Rent();
            await shape.ReadAsync(context, i);
            if (i == count)
            {
                Require(context, node);
            }

            if (!style.IsKept)
            {
                await context.DisposeAsync();
            }
        }
    };

    private static void Require(ItemContext context, string? node)
    {
        if (node is not null && !(context.Database.LastRouting() is { Role: NodeRole.Replica } decision && decision.Node == node))
        {
            throw new InvalidOperationException($"A routed read did not reach the standby '{node}': {context.Database.LastRouting()}.");
        }
    }
}
