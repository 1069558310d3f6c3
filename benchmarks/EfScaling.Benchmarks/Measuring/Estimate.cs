namespace EfScaling.Benchmarks.Measuring;

/// <summary>A median with the interval that contains the true one with 95 % confidence, from ranks alone: no assumption about the noise.</summary>
internal readonly record struct Estimate(double Median, double Low, double High)
{
    private const double Normal95 = 1.96;

    /// <summary>Estimates the median of independent measurements.</summary>
    public static Estimate Of(IEnumerable<double> measurements)
    {
        double[] sorted = [.. measurements.Order()];
        var half = (Normal95 * Math.Sqrt(sorted.Length) / 2) + 1;
        var middle = sorted.Length / 2.0;
        return new Estimate(
            Percentile.Of(sorted, 0.5),
            sorted[Math.Max(0, (int)(middle - half))],
            sorted[Math.Min(sorted.Length - 1, (int)Math.Ceiling(middle + half) - 1)]);
    }

    /// <summary>Writes median and interval in one format.</summary>
    public string ToString(string format) => FormattableString.Invariant(
        $"{Median.ToString(format, System.Globalization.CultureInfo.InvariantCulture)} ({Low.ToString(format, System.Globalization.CultureInfo.InvariantCulture)} … {High.ToString(format, System.Globalization.CultureInfo.InvariantCulture)})");
}
