using EfScaling.Benchmarks.Measuring;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What does routing add to a query of a hundred rows?</summary>
internal sealed class HundredRowQuery : IQuestion
{
    public string Title => "Routed 100-row query against plain EF on the same server";

    public Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort) =>
        new ReadComparison(ReadShape.HundredRows, blockSize: 50, maxRatio: 1.02, maxBytes: null).MeasureAsync(effort);
}
