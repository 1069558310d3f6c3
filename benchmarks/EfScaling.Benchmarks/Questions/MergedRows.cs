using System.Data.Common;
using System.Diagnostics;
using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Routing.Scatter;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Benchmarks.Questions;

/// <summary>How fast are ordered rows of four shards merged, and in how much memory? The rows are made up as they are read.</summary>
internal sealed class MergedRows : IQuestion
{
    private const int Shards = 4;
    private const double MinRate = 1_000_000;
    private const long MaxGrowth = 1_000_000;

    public string Title => "Rows of four shards merged in order, no server takes part";

    public Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        Merge(1_000_000);
        var rates = Enumerable.Range(0, effort.Rounds * 3).Select(_ => 1_000_000 / Merge(1_000_000).Seconds).ToList();
        var (few, many) = (Merge(10_000).Held, Merge(10_000_000).Held);
        var rate = Estimate.Of(rates);
        return Task.FromResult<IReadOnlyList<Figure>>(
        [
            new Figure("rows a second on one core", string.Create(CultureInfo.InvariantCulture, $"≥ {MinRate:N0}"), rate.ToString("N0"), rate.Median >= MinRate),
            new Figure(
                "memory held in the middle of 10,000,000 rows against 10,000",
                "the same",
                string.Create(CultureInfo.InvariantCulture, $"{many - few:+#,0;-#,0;0} B"),
                many - few <= MaxGrowth),
        ]);
    }

    private static (double Seconds, long Held) Merge(int rows)
    {
        var shards = Enumerable.Range(0, Shards).Select(s => new Result(new Numbers(s, Shards, rows / Shards))).ToList();
        using var merged = new MergedDataReader(shards, columns: 1, [new MergeKey(MergeTypeOfNumbers, IsDescending: false)], offset: 0, limit: long.MaxValue);
        var start = Stopwatch.GetTimestamp();
        var (seen, last, held) = (0, -1L, 0L);
        while (merged.Read())
        {
            var number = merged.GetInt64(0);
            if (number < last)
            {
                throw new InvalidOperationException($"{number} came behind {last}.");
            }

            last = number;
            if (++seen == rows / 2 && rows is 10_000 or 10_000_000)
            {
                held = GC.GetTotalMemory(forceFullCollection: true);
            }
        }

        return seen == rows ? (Stopwatch.GetElapsedTime(start).TotalSeconds, held) : throw new InvalidOperationException($"{seen} of {rows} rows came.");
    }

    private static MergeType MergeTypeOfNumbers { get; } = new MergeType<long>("bigint", static (x, y) => x.CompareTo(y));

    private sealed class Result(DbDataReader rows) : RelationalDataReader
    {
        public override DbDataReader DbDataReader => rows;

        public override bool Read() => rows.Read();
    }
}
