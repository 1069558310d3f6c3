using EfScaling.Sample.Load;

namespace EfScaling.Sample.Report;

/// <summary>How old the data of reads on replicas was.</summary>
internal sealed record StalenessSummary(long Reads, double? P50Milliseconds, double? P99Milliseconds, double? MaxMilliseconds)
{
    public static StalenessSummary Of(Distribution ages) =>
        new(ages.Count, ages.Percentile(0.50)?.TotalMilliseconds, ages.Percentile(0.99)?.TotalMilliseconds, ages.Max?.TotalMilliseconds);
}
