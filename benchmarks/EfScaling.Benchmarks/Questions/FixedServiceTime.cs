using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>Do two and three replicas serve two and three times the reads of one, when each takes a fixed time for a read and four reads at once?</summary>
/// <remarks>Plain EF with its own four workers on each standby shows what this machine allows.</remarks>
internal sealed class FixedServiceTime : IQuestion
{
    private const int Connections = 4;
    private const int MostReplicas = 3;
    private const double Tolerance = 0.03;
    private static readonly TimeSpan _serviceTime = TimeSpan.FromMilliseconds(5);

    private int _next;
    private long _measured;
    private long _onPrimary;
    private bool _isMeasuring;

    public string Title => $"Throughput with a service time of {_serviceTime.TotalMilliseconds:0} ms and {Connections} connections to each replica";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(MostReplicas, _serviceTime);
        ContextStyle[] routed = [.. Enumerable.Range(1, MostReplicas).Select(n => Routed(servers, n))];
        DbContextOptions<ItemContext>[] plain = [.. servers.Cluster.Standbys.Select(s => ItemServers.Options(s.ConnectionString))];
        var routedRates = Enumerable.Range(0, MostReplicas).Select(_ => new List<double>()).ToArray();
        var plainRates = Enumerable.Range(0, MostReplicas).Select(_ => new List<double>()).ToArray();

        // One round more than is counted: the first compiles.
        for (var round = 0; round <= effort.Rounds; round++)
        {
            for (var step = 0; step < MostReplicas; step++)
            {
                var replicas = ((round + step) % MostReplicas) + 1;
                var withRouting = await RoutedAsync(routed[replicas - 1], replicas, effort.Throughput);
                var without = await PlainAsync(plain[..replicas], effort.Throughput);
                if (round > 0)
                {
                    routedRates[replicas - 1].Add(withRouting);
                    plainRates[replicas - 1].Add(without);
                }
            }
        }

        var figures = new List<Figure>();
        for (var replicas = 2; replicas <= MostReplicas; replicas++)
        {
            figures.Add(Scaling($"routed, {replicas} replicas against 1", routedRates[replicas - 1], routedRates[0], replicas, isTarget: true));
        }

        figures.Add(Scaling("routed over 1 replica against plain EF on one standby", routedRates[0], plainRates[0], 1, isTarget: true));
        for (var replicas = 2; replicas <= MostReplicas; replicas++)
        {
            figures.Add(Scaling($"control: plain EF, {replicas} standbys with workers of their own against 1", plainRates[replicas - 1], plainRates[0], replicas, isTarget: false));
            figures.Add(Scaling($"routed against plain EF, both over {replicas} standbys", routedRates[replicas - 1], plainRates[replicas - 1], 1, isTarget: false));
        }

        figures.Add(new Figure(
            "measured reads that ran on the primary", "0", string.Create(CultureInfo.InvariantCulture, $"{_onPrimary} of {_measured:N0}"), _onPrimary == 0));
        return figures;
    }

    private static ContextStyle Routed(ItemServers servers, int replicas)
    {
        var options = servers.RoutedOptions(replicas, r => r.MaxConnections(Connections).RampUp(TimeSpan.Zero));
        return new ContextStyle($"{replicas} replicas", () => new ItemContext(options));
    }

    private async Task<double> RoutedAsync(ContextStyle style, int replicas, TimeSpan window)
    {
        // The monitor rests when nothing has read for a while, as during the other measurements.
        await ItemServers.WarmUpAsync(style, replicas);
        _isMeasuring = true;
        var rate = await ClosedLoop.ThroughputAsync(Connections * replicas, window, () => ReadAsync(style.Rent()));
        _isMeasuring = false;
        return rate;
    }

    private async Task<double> PlainAsync(DbContextOptions<ItemContext>[] standbys, TimeSpan window)
    {
        var rates = await Task.WhenAll(standbys.Select(s => ClosedLoop.ThroughputAsync(Connections, window, () => ReadAsync(new ItemContext(s)))));
        return rates.Sum();
    }

    private async Task ReadAsync(ItemContext context)
    {
        await using (context)
        {
            var id = (Interlocked.Increment(ref _next) % ItemContext.Count) + 1;
            _ = await context.Items.Where(i => i.Id == id).Select(i => ItemContext.Work(i.Id)).FirstAsync();
            if (_isMeasuring)
            {
                Interlocked.Increment(ref _measured);
                Interlocked.Add(ref _onPrimary, context.Database.LastRouting() is { Role: NodeRole.Replica } ? 0 : 1);
            }
        }
    }

    private static Figure Scaling(string name, List<double> rates, List<double> baseline, int factor, bool isTarget)
    {
        var ratio = Estimate.Of(rates.Zip(baseline, (r, b) => r / b));
        var (low, high) = (factor * (1 - Tolerance), factor * (1 + Tolerance));
        return new Figure(
            name,
            isTarget ? string.Create(CultureInfo.InvariantCulture, $"{low:0.00} … {high:0.00}") : null,
            string.Create(CultureInfo.InvariantCulture, $"{ratio.ToString("0.000")}; {Estimate.Of(rates).Median:0} reads a second against {Estimate.Of(baseline).Median:0}"),
            !isTarget || (ratio.Median >= low && ratio.Median <= high));
    }
}
