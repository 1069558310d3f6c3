namespace EfScaling.Benchmarks.Measuring;

/// <summary>One measured figure.</summary>
/// <param name="Name">What was measured.</param>
/// <param name="Target">What it should be; <see langword="null"/> for a figure that explains another.</param>
/// <param name="Measured">What it is.</param>
/// <param name="IsMet">Whether it is as it should be.</param>
internal sealed record Figure(string Name, string? Target, string Measured, bool IsMet = true)
{
    /// <summary>Gets the verdict in a word.</summary>
    public string Verdict => Target is null ? "" : IsMet ? "met" : "missed";
}
