using EfScaling.Sample.Load;

namespace EfScaling.Sample.Report;

/// <summary>What one load achieved.</summary>
internal sealed record LoadSummary(double Seconds, long Reads, long Writes, double CommandsPerSecond, IReadOnlyList<LatencySummary> Latency)
{
    public static LoadSummary Of(Measurements load) =>
        new(
            load.Elapsed.TotalSeconds,
            load.Reads.Count,
            load.Writes.Count,
            load.Throughput,
            [
                LatencySummary.Of("all reads", load.Reads),
                LatencySummary.Of("all writes", load.Writes),
                .. Enum.GetValues<Operation>().Select(o => LatencySummary.Of(o.ToString(), load.LatencyOf(o))),
            ]);
}
