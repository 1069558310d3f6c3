using EfScaling.Benchmarks.Measuring;

namespace EfScaling.Benchmarks.Questions;

/// <summary>Something that the benchmarks find out.</summary>
internal interface IQuestion
{
    /// <summary>Gets the heading of its figures.</summary>
    string Title { get; }

    /// <summary>Measures.</summary>
    Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort);
}
