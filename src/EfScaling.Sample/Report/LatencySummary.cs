using EfScaling.Sample.Load;

namespace EfScaling.Sample.Report;

/// <summary>The latency of one kind of command, to 2 %.</summary>
internal sealed record LatencySummary(string Operation, long Count, double? P50Milliseconds, double? P99Milliseconds)
{
    public static LatencySummary Of(string operation, Distribution latency) =>
        new(operation, latency.Count, latency.Percentile(0.50)?.TotalMilliseconds, latency.Percentile(0.99)?.TotalMilliseconds);
}
