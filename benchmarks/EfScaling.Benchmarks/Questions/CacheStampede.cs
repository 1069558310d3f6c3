using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Caching;
using EfScaling.Testing;

namespace EfScaling.Benchmarks.Questions;

/// <summary>How often does the database run one query that ten thousand requests of four processes want at once, and the cache does not have?</summary>
/// <remarks>The query takes a fixed time on the server. The most of several stampedes counts, each for a row that none has asked for.</remarks>
internal sealed class CacheStampede : IQuestion
{
    private const int Processes = 4;
    private const int Requests = 10_000;
    private static readonly TimeSpan _serviceTime = TimeSpan.FromMilliseconds(100);

    private int _id;

    public string Title => $"{Requests:N0} requests of {Processes} processes for one result that nobody has yet, a query of {_serviceTime.TotalMilliseconds:0} ms";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(standbys: 0, _serviceTime);
        await using var redis = await RedisServer.StartAsync();

        // Few connections each: loads that should not be must not fail for want of them.
        var database = $"{servers.Cluster.Primary.ConnectionString};Maximum Pool Size=20";
        var processes = await Task.WhenAll(Enumerable.Range(0, Processes).Select(_ => StampedeProcess.StartAsync(database, redis.Endpoint)));
        try
        {
            // The first compiles.
            await RunAsync(processes, isExpensive: false);
            await RunAsync(processes, isExpensive: true);
            var usual = new List<Stampede>();
            var expensive = new List<Stampede>();
            for (var round = 0; round < effort.Rounds * 2; round++)
            {
                usual.Add(await RunAsync(processes, isExpensive: false));
                expensive.Add(await RunAsync(processes, isExpensive: true));
            }

            return [.. Figures("", usual, Processes), .. Figures(", AsExpensive()", expensive, 1)];
        }
        finally
        {
            foreach (var process in processes)
            {
                process.Dispose();
            }
        }
    }

    private async Task<Stampede> RunAsync(StampedeProcess[] processes, bool isExpensive)
    {
        var id = ++_id;
        var parts = await Task.WhenAll(processes.Select(p => p.RunAsync(id, Requests / Processes, isExpensive)));
        return new Stampede(
            parts.Sum(p => p.Loads),
            parts.Sum(p => p.Failures),
            parts.Max(p => p.Milliseconds),
            [.. parts.SelectMany(p => p.Outcomes)]);
    }

    private static IEnumerable<Figure> Figures(string suffix, List<Stampede> stampedes, int most)
    {
        var loads = stampedes.Max(s => s.Loads);
        var failures = stampedes.Sum(s => s.Failures);
        yield return new Figure(
            $"database loads{suffix}",
            string.Create(CultureInfo.InvariantCulture, $"≤ {most}"),
            $"{loads} at most of {string.Join(", ", stampedes.Select(s => s.Loads))}",
            loads <= most);
        yield return new Figure($"failed requests{suffix}", "0", string.Create(CultureInfo.InvariantCulture, $"{failures}"), failures == 0);
        yield return new Figure(
            $"what the cache did for the requests{suffix}",
            null,
            string.Join(", ", stampedes.SelectMany(s => s.Outcomes).GroupBy(o => o.Key).OrderBy(g => g.Key).Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Key} {g.Sum(o => o.Value):N0}"))));
        yield return new Figure(
            $"time until all were answered{suffix}",
            null,
            string.Create(CultureInfo.InvariantCulture, $"{Estimate.Of(stampedes.Select(s => (double)s.Milliseconds)).Median:0} ms"));
    }

    private sealed record Stampede(int Loads, int Failures, int Milliseconds, IReadOnlyList<KeyValuePair<CacheOutcome, int>> Outcomes);
}
