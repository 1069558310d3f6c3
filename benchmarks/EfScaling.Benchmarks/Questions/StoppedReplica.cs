using System.Diagnostics;
using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What do reads notice when one of two replicas is killed under a steady load?</summary>
internal sealed class StoppedReplica : IQuestion
{
    private const int Replicas = 2;
    private const int Workers = 8;
    private const double MaxRatio = 2;

    private int _next;

    public string Title => $"One of {Replicas} replicas is killed under the load of {Workers} workers";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(Replicas);
        var options = servers.RoutedOptions(Replicas);
        await ItemServers.WarmUpAsync(new ContextStyle("new context", () => new ItemContext(options)), Replicas);
        var load = new ReadLoad(options, Workers, ReadAsync);
        load.Start();
        await Task.Delay(effort.WarmUp);

        var begin = Stopwatch.GetTimestamp();
        await Task.Delay(effort.Window);
        var around = Stopwatch.GetTimestamp();
        await Task.Delay(effort.Window / 2);
        var stopped = servers.Cluster.Standbys[0];
        var stop = Stopwatch.GetTimestamp();
        await stopped.KillAsync();
        await Task.Delay(effort.Window / 2);
        var end = Stopwatch.GetTimestamp();
        var reads = await load.StopAsync();

        return Figures(
            [.. reads.Where(r => r.StartedAt >= begin && r.StartedAt < around)],
            [.. reads.Where(r => r.StartedAt >= around && r.StartedAt < end)],
            stop,
            effort.Window);
    }

    private async Task<long> ReadAsync(ItemContext context)
    {
        var id = (Interlocked.Increment(ref _next) % ItemContext.Count) + 1;
        return (await context.Items.AsNoTracking().FirstAsync(i => i.Id == id)).Id;
    }

    private static List<Figure> Figures(List<TimedRead> before, List<TimedRead> around, long stop, TimeSpan window)
    {
        var (calm, shaken) = (Sorted(before), Sorted(around));
        var (p99Before, p99Around) = (Percentile.Of(calm, 0.99), Percentile.Of(shaken, 0.99));
        var failed = before.Concat(around).Where(r => r.Failure is not null).ToList();
        var moved = around.Where(r => r.MovedOn).ToList();

        // Whoever begins after a read has come back from the stopped node could know that it is down.
        var known = moved.Count > 0 ? moved.Min(r => r.EndedAt) : long.MaxValue;
        var late = moved.Count(r => r.StartedAt > known);
        return
        [
            new Figure(
                string.Create(CultureInfo.InvariantCulture, $"p99 of the {window.TotalSeconds:0} s around the stop, against the {window.TotalSeconds:0} s before"),
                string.Create(CultureInfo.InvariantCulture, $"≤ {MaxRatio:0} ×"),
                string.Create(CultureInfo.InvariantCulture, $"{p99Around / p99Before:0.00} ×; {p99Around:0.00} ms against {p99Before:0.00} ms ({shaken.Length:N0} and {calm.Length:N0} reads)"),
                p99Around <= MaxRatio * p99Before),
            new Figure("failed reads", "0", string.Create(CultureInfo.InvariantCulture, $"{failed.Count}{(failed.Count > 0 ? ", first: " + failed[0].Failure : "")}"), failed.Count == 0),
            new Figure("reads sent to the stopped replica after the first one came back from it", "0", string.Create(CultureInfo.InvariantCulture, $"{late}"), late == 0),
            new Figure(
                "reads that met the stop and moved on",
                null,
                string.Create(CultureInfo.InvariantCulture, $"{moved.Count}, the slowest in {moved.Select(r => r.Milliseconds).DefaultIfEmpty().Max():0.0} ms, the first back {(moved.Count > 0 ? Stopwatch.GetElapsedTime(stop, known).TotalMilliseconds : 0):0} ms after the stop")),
            new Figure(
                "slowest read before and around the stop",
                null,
                string.Create(CultureInfo.InvariantCulture, $"{calm[^1]:0.0} ms and {shaken[^1]:0.0} ms")),
            new Figure("reads on the primary", null, string.Create(CultureInfo.InvariantCulture, $"{before.Concat(around).Count(r => r.IsOnPrimary)}")),
        ];
    }

    private static double[] Sorted(List<TimedRead> reads) => [.. reads.Select(r => r.Milliseconds).Order()];
}
