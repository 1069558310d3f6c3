using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>What is asked of generated rows.</summary>
/// <param name="random">Decides.</param>
internal sealed class FlowEnds(Random random)
{
    // Each with what it needs to be known.
    private static readonly (string Column, string Shape, Func<IQueryable<Row>, Task<object?>> Ask)[] _values =
    [
        ("Int", "sum Int", async q => await q.SumAsync(r => r.Int)),
        ("Int", "sum Int or 0", async q => await q.SumAsync(r => r.Int ?? 0)),
        ("Short", "sum Short", async q => await q.SumAsync(r => r.Short)),
        ("Long", "sum Long", async q => await q.SumAsync(r => r.Long)),
        ("Money", "sum Money", async q => await q.SumAsync(r => r.Money)),
        ("Plain", "sum Plain", async q => await q.SumAsync(r => r.Plain)),
        ("Single", "sum Single", async q => await q.SumAsync(r => r.Single)),
        ("Double", "sum Double", async q => await q.SumAsync(r => r.Double)),
        ("Int", "average Int", async q => await q.AverageAsync(r => r.Int)),
        ("Long", "average Long", async q => await q.AverageAsync(r => r.Long)),
        ("Money", "average Money", async q => await q.AverageAsync(r => r.Money)),
        ("Plain", "average Plain", async q => await q.AverageAsync(r => r.Plain)),
        ("Single", "average Single", async q => await q.AverageAsync(r => r.Single)),
        ("Double", "average Double", async q => await q.AverageAsync(r => r.Double)),
        ("Int", "average Int or 0", async q => await q.AverageAsync(r => r.Int ?? 0)),
        ("Int", "least Int", async q => await q.MinAsync(r => r.Int)),
        ("Int", "greatest Int or 0", async q => await q.MaxAsync(r => r.Int ?? 0)),
        ("Short", "greatest Short", async q => await q.MaxAsync(r => r.Short)),
        ("Long", "least Long", async q => await q.MinAsync(r => r.Long)),
        ("Money", "greatest Money", async q => await q.MaxAsync(r => r.Money)),
        ("Plain", "least Plain", async q => await q.MinAsync(r => r.Plain)),
        ("Single", "greatest Single", async q => await q.MaxAsync(r => r.Single)),
        ("Double", "greatest Double", async q => await q.MaxAsync(r => r.Double)),
        ("Text", "least Text", async q => await q.MinAsync(r => r.Text)),
        ("Plainest", "greatest Plainest", async q => await q.MaxAsync(r => r.Plainest)),
        ("Fixed", "greatest Fixed", async q => await q.MaxAsync(r => r.Fixed)),
        ("Utc", "least Utc", async q => await q.MinAsync(r => r.Utc)),
        ("Local", "greatest Local", async q => await q.MaxAsync(r => r.Local)),
        ("Day", "greatest Day", async q => await q.MaxAsync(r => r.Day)),
        ("Time", "least Time", async q => await q.MinAsync(r => r.Time)),
        ("Span", "greatest Span", async q => await q.MaxAsync(r => r.Span)),
        ("Mood", "least Mood", async q => await q.MinAsync(r => r.Mood)),
        ("Guid", "least Guid", async q => await q.MinAsync(r => r.Guid)),
        ("Int", "different Ints", async q => await q.Select(r => r.Int).Distinct().CountAsync()),
        ("Text", "different Texts", async q => await q.Select(r => r.Text).Distinct().CountAsync()),
        ("Money", "sum of different Moneys", async q => await q.Select(r => r.Money).Distinct().SumAsync()),
        ("Int", "contains Int", async q => await q.Select(r => r.Int).ContainsAsync(5)),
        ("Text", "contains Text", async q => await q.Select(r => r.Text).ContainsAsync(null)),
        ("Plainest", "Plainest alone", async q => Sorted(await q.Select(r => r.Plainest).ToListAsync())),
        ("Mood", "different Moods", async q => Sorted(await q.Select(r => r.Mood).Distinct().ToListAsync())),
        ("Int", "any Int", async q => await q.AnyAsync(r => r.Int > 5)),
        ("Int", "all Int", async q => await q.AllAsync(r => r.Int > 0)),
        ("Int", "count of Int", async q => await q.CountAsync(r => r.Int > 0)),
        ("Money", "numbers of groups", async q => await q.GroupBy(r => r.Money).CountAsync()),
    ];

    private readonly FlowOperators _operators = new(random);

    /// <summary>Ends a query.</summary>
    public ScatterQuery End(Flow flow)
    {
        var position = random.Next(6);
        var ordered = flow.IsOrdered ? flow : _operators.Order(flow);
        switch (random.Next(16))
        {
            case < 4:
                var known = _values.Where(v => flow.Columns.Contains(v.Column)).ToList();
                if (known.Count == 0)
                {
                    goto case 8;
                }

                var (_, shape, ask) = known[random.Next(known.Count)];
                return new ScatterQuery($"{flow.Shape} > {shape}", false, c => ask(flow.Of(c)));
            case 4 when position < 3:
                var best = _operators.FirstOfEach(flow);
                return new ScatterQuery($"{best.Shape} > list", false, async c => await best.Of(c).ToListAsync());
            case 4:
                return new ScatterQuery($"{flow.Shape} > list", false, async c => await flow.Of(c).ToListAsync());
            case 5:
                return new ScatterQuery($"{flow.Shape} > synchronous list", false, c => Task.FromResult<object?>(flow.Of(c).ToList()));
            case 6:
                return new ScatterQuery($"{ordered.Shape} > stream", true, async c =>
                {
                    var rows = new List<Row>();
                    await foreach (var row in ordered.Of(c).AsAsyncEnumerable())
                    {
                        rows.Add(row);
                    }

                    return rows;
                });
            case 7:
                var page = _operators.Page(flow);
                return new ScatterQuery($"{page.Shape} > list", true, async c => await page.Of(c).ToListAsync());
            case 8:
                return new ScatterQuery($"{flow.Shape} > count", false, async c => await flow.Of(c).CountAsync());
            case 9:
                return new ScatterQuery($"{flow.Shape} > long count", false, async c => await flow.Of(c).LongCountAsync());
            case 10:
                return new ScatterQuery($"{flow.Shape} > any", false, async c => await flow.Of(c).AnyAsync());
            case 11:
                return position % 2 == 0
                    ? new ScatterQuery($"{ordered.Shape} > first", true, async c => await ordered.Of(c).FirstAsync())
                    : new ScatterQuery($"{ordered.Shape} > first or default", true, async c => await ordered.Of(c).FirstOrDefaultAsync());
            case 12:
                return new ScatterQuery($"{ordered.Shape} > last or default", true, async c => await ordered.Of(c).LastOrDefaultAsync());
            case 13:
                return position % 2 == 0
                    ? new ScatterQuery($"{flow.Shape} > single or default", false, async c => await ordered.Of(c).SingleOrDefaultAsync())
                    : new ScatterQuery($"{ordered.Shape} > single of one", true, async c => await ordered.Of(c).Skip(position).Take(1).SingleAsync());
            case 14:
                return new ScatterQuery($"{ordered.Shape} > element", true, async c => await ordered.Of(c).ElementAtOrDefaultAsync(position));
            default:
                return new ScatterQuery($"{ordered.Shape} > list", true, async c => await ordered.Of(c).ToListAsync());
        }
    }

    private static List<T> Sorted<T>(IEnumerable<T> values) => [.. values.OrderBy(v => v?.ToString(), StringComparer.Ordinal)];
}
