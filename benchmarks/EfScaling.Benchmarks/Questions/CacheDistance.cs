using System.Collections.Concurrent;
using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Caching;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Benchmarks.Questions;

/// <summary>How many hits a second does one process get from a Redis that is a network away?</summary>
/// <remarks>The network is a proxy in this process, whose own work takes time as well: its pause is chosen by what a PING takes.</remarks>
internal sealed class CacheDistance : IQuestion
{
    private const int Workers = 32;
    private const double RoundTripMilliseconds = 2.7;
    private const int MinRate = 7_000;
    private const int Keys = 100;

    private readonly ConcurrentDictionary<string, int> _decisions = [];
    private int _next;
    private long _reads;
    private long _hits;

    public string Title => FormattableString.Invariant($"Hits of {Workers} workers in a Redis {RoundTripMilliseconds:0.0} ms away");

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(standbys: 0);
        await using var redis = await RedisServer.StartAsync();
        await using var proxy = await TcpProxy.StartAsync(redis.Host, redis.Port);
        var distance = await MoveAwayAsync(proxy);

        // Workers, proxy and Redis share the processors: what takes long here is no outage.
        var cached = servers.CachedOptions(c => c.Redis($"{proxy.Host}:{proxy.Port},maxWait=1000").LocalMemory(0));
        await ItemServers.WarmUpCacheAsync(cached);
        var contexts = new PooledDbContextFactory<ItemContext>(cached);
        var plain = new PooledDbContextFactory<ItemContext>(ItemServers.Options(servers.Cluster.Primary.ConnectionString));
        var rates = new List<double>();
        var plainRates = new List<double>();

        // One round more than is counted: the first compiles, and fills.
        for (var round = 0; round <= effort.Rounds; round++)
        {
            if (round == 1)
            {
                (_reads, _hits) = (0, 0);
                _decisions.Clear();
            }

            var rate = await ClosedLoop.ThroughputAsync(Workers, effort.Throughput, () => HitAsync(contexts));
            var plainRate = await ClosedLoop.ThroughputAsync(Workers, effort.Throughput, () => ReadAsync(plain));
            if (round > 0)
            {
                rates.Add(rate);
                plainRates.Add(plainRate);
            }
        }

        var hits = Estimate.Of(rates);
        return
        [
            new Figure("hits a second", FormattableString.Invariant($"≥ {MinRate:N0}"), hits.ToString("N0"), hits.Median >= MinRate),
            new Figure("reads that were hits", "≥ 99 %", FormattableString.Invariant($"{_hits / (double)_reads:P2} of {_reads:N0}"), _hits >= 0.99 * _reads),
            new Figure("what the cache did for the reads", null, string.Join(", ", _decisions.Select(d => FormattableString.Invariant($"{d.Key} {d.Value:N0}")))),
            new Figure("round trip to Redis, by PING on an idle line", null, FormattableString.Invariant($"{distance:0.00} ms")),
            new Figure(
                "most that so many workers can wait for",
                null,
                string.Create(CultureInfo.InvariantCulture, $"{Workers * 1000 / distance:N0} a second")),
            new Figure("reads a second of plain EF, PostgreSQL beside it", null, Estimate.Of(plainRates).ToString("N0")),
        ];
    }

    /// <summary>Makes a PING take as long as wanted, or a little more.</summary>
    private static async Task<double> MoveAwayAsync(TcpProxy proxy)
    {
        var distance = 0.0;
        for (var pause = RoundTripMilliseconds / 3; distance < RoundTripMilliseconds; pause += 0.05)
        {
            proxy.Delay = TimeSpan.FromMilliseconds(pause);
            distance = await RoundTrip.MeasureAsync(proxy.Host, proxy.Port);
        }

        return distance;
    }

    private async Task HitAsync(PooledDbContextFactory<ItemContext> contexts)
    {
        await using var context = await contexts.CreateDbContextAsync();
        var id = (Interlocked.Increment(ref _next) % Keys) + 1;
        _ = await context.Items.AsNoTracking().Cacheable().FirstAsync(i => i.Id == id);
        Interlocked.Increment(ref _reads);
        var decision = context.Database.LastRouting()?.Cache;
        Interlocked.Add(ref _hits, decision?.Outcome == CacheOutcome.Hit ? 1 : 0);
        _decisions.AddOrUpdate(decision?.ToString() ?? "none", 1, static (_, count) => count + 1);
    }

    private async Task ReadAsync(PooledDbContextFactory<ItemContext> contexts)
    {
        await using var context = await contexts.CreateDbContextAsync();
        var id = (Interlocked.Increment(ref _next) % Keys) + 1;
        _ = await context.Items.AsNoTracking().FirstAsync(i => i.Id == id);
    }
}
