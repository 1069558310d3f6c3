namespace EfScaling.Benchmarks.Measuring;

/// <summary>How long the measurements take.</summary>
/// <param name="WarmUp">Time to let the runtime compile each pair of a comparison.</param>
/// <param name="Rounds">How often all variants of a comparison are visited.</param>
/// <param name="Pairs">Pairs of blocks in a visit.</param>
/// <param name="Throughput">Length of one throughput measurement.</param>
/// <param name="Window">Length of the window around a fault.</param>
internal sealed record Effort(TimeSpan WarmUp, int Rounds, int Pairs, TimeSpan Throughput, TimeSpan Window)
{
    public static Effort Full { get; } = new(TimeSpan.FromSeconds(2), 5, 60, TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(30));

    public static Effort Quick { get; } = new(TimeSpan.FromSeconds(1), 2, 30, TimeSpan.FromSeconds(0.7), TimeSpan.FromSeconds(9));
}
