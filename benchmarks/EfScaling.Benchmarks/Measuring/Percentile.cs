namespace EfScaling.Benchmarks.Measuring;

/// <summary>Percentiles of sorted measurements.</summary>
internal static class Percentile
{
    /// <summary>Returns the value below which the share lies, interpolated between neighbours; NaN without measurements.</summary>
    public static double Of(IReadOnlyList<double> sorted, double share)
    {
        if (sorted.Count == 0)
        {
            return double.NaN;
        }

        var rank = share * (sorted.Count - 1);
        var below = (int)rank;
        var above = Math.Min(below + 1, sorted.Count - 1);
        return sorted[below] + ((rank - below) * (sorted[above] - sorted[below]));
    }
}
