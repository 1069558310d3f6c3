namespace EfScaling.Tests.Sharding;

/// <summary>Whether counts could come from an even distribution.</summary>
internal static class ChiSquare
{
    /// <summary>An even distribution gives a greater statistic than the limit once in a million times: the seeds are new in each run.</summary>
    public const double Significance = 1e-6;

    // The point of the normal distribution beyond which that share of it lies.
    private const double Deviations = 4.7534;

    /// <summary>Returns the sum of squared differences to even counts, each over the even count.</summary>
    public static double Of(IReadOnlyCollection<int> counts)
    {
        var even = (double)counts.Sum() / counts.Count;
        return counts.Sum(c => (c - even) * (c - even) / even);
    }

    /// <summary>Returns the limit for a number of counts, by the approximation of Wilson and Hilferty.</summary>
    public static double Limit(int counts)
    {
        var freedom = counts - 1.0;
        var spread = 2 / (9 * freedom);
        return freedom * Math.Pow(1 - spread + (Deviations * Math.Sqrt(spread)), 3);
    }
}
