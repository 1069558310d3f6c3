using EfScaling.Caching;
using EfScaling.Sample.Load;

namespace EfScaling.Sample.Report;

/// <summary>What the cache did for one operation, and what came of it.</summary>
/// <param name="Operation">Which.</param>
/// <param name="Hits">How often it answered.</param>
/// <param name="Misses">How often the result was read and kept instead, or what was kept had become old.</param>
/// <param name="Others">How often the cache was not asked, or what was read was not kept.</param>
/// <param name="Outcomes">All of them, by what the cache itself says.</param>
/// <param name="Latency">How long the operation took, hits and misses together.</param>
/// <param name="LatencyWithout">How long it took with replicas and without the cache.</param>
/// <param name="Violations">How many pages were older than what had been acknowledged before they were read.</param>
internal sealed record CacheSummary(
    string Operation,
    long Hits,
    long Misses,
    long Others,
    IReadOnlyDictionary<string, long> Outcomes,
    LatencySummary Latency,
    LatencySummary LatencyWithout,
    long Violations)
{
    /// <summary>Gets the part of all that the cache answered.</summary>
    public double HitRate => Hits == 0 ? 0 : (double)Hits / (Hits + Misses + Others);

    public static CacheSummary Of(Operation operation, Measurements cached, Measurements routed, long violations)
    {
        var outcomes = cached.OutcomesOf(operation);
        var hits = outcomes.Where(o => new CacheDecision(o.Key).IsHit).Sum(o => o.Value);
        var misses = outcomes.GetValueOrDefault(CacheOutcome.Absent)
            + outcomes.GetValueOrDefault(CacheOutcome.Stale)
            + outcomes.GetValueOrDefault(CacheOutcome.WrittenTooOften)
            + outcomes.GetValueOrDefault(CacheOutcome.TooManyLoads);
        return new CacheSummary(
            operation.ToString(),
            hits,
            misses,
            outcomes.Values.Sum() - hits - misses,
            outcomes.OrderByDescending(o => o.Value).ToDictionary(o => o.Key.ToString(), o => o.Value),
            LatencySummary.Of(operation.ToString(), cached.LatencyOf(operation)),
            LatencySummary.Of(operation.ToString(), routed.LatencyOf(operation)),
            violations);
    }
}
