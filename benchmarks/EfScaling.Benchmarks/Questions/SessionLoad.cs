using System.Diagnostics;
using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Consistency;
using EfScaling.Routing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>Where do reads run that follow a write of their session, while replicas lag by up to 20 ms, and do they show it?</summary>
internal sealed class SessionLoad : IQuestion
{
    private const int Sessions = 4;
    private const int ReadsPerWrite = 10;
    private const double MinShare = 0.9;
    private static readonly TimeSpan _afterWrite = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _maxLag = TimeSpan.FromMilliseconds(20);

    public string Title => string.Create(
        CultureInfo.InvariantCulture,
        $"{Sessions} sessions with one write to {ReadsPerWrite} reads, 2 replicas that lag by 0 to {_maxLag.TotalMilliseconds:0} ms, a new context each time");

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(standbys: 2);
        var options = servers.RoutedOptions(2);
        await ItemServers.WarmUpAsync(new ContextStyle("new context", () => new ItemContext(options)), replicas: 2);
        using var end = new CancellationTokenSource();
        var lagging = LagAsync(servers, end.Token);
        var results = Task.WhenAll(Enumerable.Range(1, Sessions).Select(id => Task.Run(() => RunAsync(options, id, end.Token))));
        await Task.Delay(effort.Window);
        await end.CancelAsync();
        await lagging;
        return Figures([.. (await results).SelectMany(r => r)]);
    }

    // A delay of its own for each replica, and another one every quarter of a second.
    private static async Task LagAsync(ItemServers servers, CancellationToken end)
    {
        var random = new Random(1);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
        while (!end.IsCancellationRequested)
        {
            foreach (var standby in servers.Cluster.Standbys)
            {
                await standby.SetApplyDelayAsync(TimeSpan.FromMilliseconds(random.Next((int)_maxLag.TotalMilliseconds + 1)), CancellationToken.None);
            }

            await timer.WaitForNextTickAsync(CancellationToken.None);
        }
    }

    private static async Task<List<Read>> RunAsync(DbContextOptions<ItemContext> options, int id, CancellationToken end)
    {
        var reads = new List<Read>();
        using var session = ConsistencySession.Begin();
        for (var stock = 1_000; !end.IsCancellationRequested; stock++)
        {
            await using (var writing = new ItemContext(options))
            {
                var item = await writing.Items.FirstAsync(i => i.Id == id, CancellationToken.None);
                item.Stock = stock;
                await writing.SaveChangesAsync(CancellationToken.None);
            }

            var written = Stopwatch.GetTimestamp();
            for (var read = 0; read < ReadsPerWrite; read++)
            {
                await using var reading = new ItemContext(options);
                var started = Stopwatch.GetTimestamp();
                var seen = await reading.Items.Where(i => i.Id == id).Select(i => i.Stock).FirstAsync(CancellationToken.None);
                var routing = reading.Database.LastRouting()!.Value;
                reads.Add(new Read(routing.Role == NodeRole.Replica, routing.Reason, seen >= stock, Stopwatch.GetElapsedTime(written, started) <= _afterWrite, Stopwatch.GetElapsedTime(started)));
            }
        }

        return reads;
    }

    private static List<Figure> Figures(List<Read> reads)
    {
        var soon = reads.Where(r => r.IsSoon).ToList();
        var share = soon.Count(r => r.IsOnReplica) / (double)soon.Count;
        var violations = reads.Count(r => !r.ShowsWrite);
        var times = reads.Select(r => r.Time.TotalMilliseconds).Order().ToList();
        var firsts = reads.Where((_, index) => index % ReadsPerWrite == 0).ToList();
        return
        [
            new Figure(
                "reads within a second of a write of their session that ran on replicas",
                string.Create(CultureInfo.InvariantCulture, $"≥ {MinShare:P0}"),
                string.Create(CultureInfo.InvariantCulture, $"{share:P1} of {soon.Count:N0}; the first after each write {firsts.Count(r => r.IsOnReplica) / (double)firsts.Count:P1}"),
                share >= MinShare),
            new Figure("reads that lack a write of their session", "0", string.Create(CultureInfo.InvariantCulture, $"{violations} of {reads.Count:N0}"), violations == 0),
            new Figure("the same with a sticky window of 2 s on the primary", null, "0 %"),
            new Figure(
                "reads by reason",
                null,
                string.Join(", ", reads.CountBy(r => r.Reason).OrderByDescending(r => r.Value).Select(r => string.Create(CultureInfo.InvariantCulture, $"{r.Key} {r.Value:N0}")))),
            new Figure("time of a read, median and p99", null, string.Create(CultureInfo.InvariantCulture, $"{times[times.Count / 2]:0.00} ms, {times[times.Count * 99 / 100]:0.00} ms")),
        ];
    }

    private readonly record struct Read(bool IsOnReplica, RoutingReason Reason, bool ShowsWrite, bool IsSoon, TimeSpan Time);
}
