using System.Diagnostics;
using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>How old are the rows that reads return while replay is paused on one of two replicas and the primary is written to?</summary>
/// <remarks>The row carries the time of its write; write and read times come from one monotonic clock.</remarks>
internal sealed class PausedReplica : IQuestion
{
    private const int Replicas = 2;
    private const int Workers = 4;
    private static readonly TimeSpan _maxStaleness = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _probeInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _writeInterval = TimeSpan.FromMilliseconds(20);

    public string Title => string.Create(
        CultureInfo.InvariantCulture,
        $"Replay paused on one of {Replicas} replicas, a write every {_writeInterval.TotalMilliseconds:0} ms, MaxStaleness {_maxStaleness.TotalSeconds:0} s, ProbeInterval {_probeInterval.TotalMilliseconds:0} ms");

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(Replicas);
        var options = servers.RoutedOptions(Replicas, r => r.MaxStaleness(_maxStaleness).ProbeInterval(_probeInterval));
        using var end = new CancellationTokenSource();
        var writing = WriteAsync(servers, end.Token);
        await ItemServers.WarmUpAsync(new ContextStyle("new context", () => new ItemContext(options)), Replicas);
        var load = new ReadLoad(options, Workers, context => context.Beats.AsNoTracking().Where(b => b.Id == 1).Select(b => b.Number).FirstAsync());
        load.Start();
        await Task.Delay(effort.Window / 3);

        var paused = servers.Cluster.Standbys[0];
        await paused.PauseReplayAsync();
        var pause = Stopwatch.GetTimestamp();
        var last = await paused.ScalarAsync<long>("SELECT \"Number\" FROM \"Beats\"");
        await Task.Delay(effort.Window / 3);
        var resume = Stopwatch.GetTimestamp();
        await paused.ResumeReplayAsync();
        await Task.Delay(effort.Window / 3);

        var reads = await load.StopAsync();
        await end.CancelAsync();
        return Figures(reads, await writing, $"{paused.Host}:{paused.Port}", (pause, resume), last);
    }

    private static async Task<List<Write>> WriteAsync(ItemServers servers, CancellationToken end)
    {
        var writes = new List<Write>();
        await using var context = new ItemContext(ItemServers.Options(servers.Cluster.Primary.ConnectionString));
        using var timer = new PeriodicTimer(_writeInterval);
        while (!end.IsCancellationRequested)
        {
            var number = Stopwatch.GetTimestamp();
            await context.Beats.Where(b => b.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(b => b.Number, number), CancellationToken.None);
            writes.Add(new Write(number, Stopwatch.GetTimestamp()));
            await timer.WaitForNextTickAsync(CancellationToken.None);
        }

        return writes;
    }

    private static List<Figure> Figures(IReadOnlyList<TimedRead> reads, List<Write> writes, string node, (long Pause, long Resume) times, long last)
    {
        var answered = reads.Where(r => r.Failure is null).ToList();
        var failed = reads.Count - answered.Count;
        var violations = answered.Count(r => r.Value < NewestAt(writes, r.StartedAt - Ticks(r.Routing!.Value.StalenessBound)));
        var oldest = answered.Max(r => Age(writes, r));
        var loosest = answered.Max(r => r.Routing!.Value.StalenessBound);

        // The data of the paused replica begin to age with the first write that they lack.
        var ageing = writes.First(w => w.Number > last).AckedAt;
        var onPaused = answered.Where(r => r.Routing!.Value.Node == node).ToList();
        var lastServed = onPaused.Last(r => r.StartedAt < times.Resume).StartedAt;
        var back = onPaused.FirstOrDefault(r => r.StartedAt > times.Resume).StartedAt;
        var served = Stopwatch.GetElapsedTime(ageing, lastServed);
        return
        [
            new Figure(
                "reads older than the bound reported for them",
                "0",
                string.Create(CultureInfo.InvariantCulture, $"{violations} of {answered.Count:N0}"),
                violations == 0),
            new Figure(
                "last read on the paused replica, after the first write that it lacks",
                Seconds("≤", _maxStaleness),
                string.Create(CultureInfo.InvariantCulture, $"{served.TotalSeconds:0.000} s ({Stopwatch.GetElapsedTime(times.Pause, lastServed).TotalSeconds:0.000} s after the pause)"),
                served <= _maxStaleness),
            new Figure("oldest row that was read", Seconds("≤", _maxStaleness), Seconds("", oldest), oldest <= _maxStaleness),
            new Figure("failed reads", "0", string.Create(CultureInfo.InvariantCulture, $"{failed}"), failed == 0),
            new Figure("largest bound that was reported", null, Seconds("", loosest)),
            new Figure(
                "first read on the replica after replay went on",
                null,
                back == 0 ? "none" : string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetElapsedTime(times.Resume, back).TotalSeconds:0.000} s")),
            new Figure("reads on the primary", null, string.Create(CultureInfo.InvariantCulture, $"{answered.Count(r => r.IsOnPrimary)}")),
        ];
    }

    /// <summary>Returns the number of the newest write that was acknowledged before a moment: what must be visible of it.</summary>
    private static long NewestAt(List<Write> writes, long moment)
    {
        var index = writes.BinarySearch(new Write(0, moment), Comparer<Write>.Create((a, b) => a.AckedAt.CompareTo(b.AckedAt)));
        var before = (index < 0 ? ~index : index) - 1;
        return before < 0 ? 0 : writes[before].Number;
    }

    // From the first write that the row lacks; zero when it lacks none that was acknowledged before the read began.
    private static TimeSpan Age(List<Write> writes, TimedRead read)
    {
        var index = writes.BinarySearch(new Write(read.Value, 0), Comparer<Write>.Create((a, b) => a.Number.CompareTo(b.Number)));
        var next = index < 0 ? ~index : index + 1;
        return next < writes.Count && writes[next].AckedAt < read.StartedAt ? Stopwatch.GetElapsedTime(writes[next].AckedAt, read.StartedAt) : TimeSpan.Zero;
    }

    private static long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);

    private static string Seconds(string sign, TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{sign} {time.TotalSeconds:0.000} s").TrimStart();

    private readonly record struct Write(long Number, long AckedAt);
}
