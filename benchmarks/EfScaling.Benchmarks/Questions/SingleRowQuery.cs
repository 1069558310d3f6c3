using EfScaling.Benchmarks.Measuring;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What does routing add to a query of one row?</summary>
internal sealed class SingleRowQuery : IQuestion
{
    public string Title => "Routed single-row query against plain EF on the same server";

    public Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort) =>
        new ReadComparison(ReadShape.SingleRow, blockSize: 100, maxRatio: 1.03, maxBytes: 600).MeasureAsync(effort);
}
