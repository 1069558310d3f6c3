#pragma warning disable CA1304, CA1305, CA1311 // Computed by the database, which has its own culture.

using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>What generated queries compute of a row or a group, each with the property that can hold it.</summary>
internal static class RowParts
{
    /// <summary>Gets what is computed of a row.</summary>
    public static IReadOnlyList<(string Column, string Shape, LambdaExpression Value)> Computed { get; } =
    [
        Of("Int", "Int % 3", r => r.Int % 3),
        Of("Int", "Int + Short", r => r.Int + r.Short),
        Of("Int", "Text length", r => r.Text!.Length),
        Of("Int", "Int or 0", r => r.Int ?? 0),
        Of("Int", "K % 4", r => r.K % 4),
        Of("Int", "a number of two", r => r.Flag == true ? r.Int : r.Short),
        Of("Long", "Long * 2", r => r.Long * 2),
        Of("Long", "Int as long", r => (long?)r.Int),
        Of("Money", "Money * 2", r => r.Money * 2),
        Of("Money", "Money + Int", r => r.Money + r.Int),

        // As floating-point numbers: equal ones have no scales, of which any may be that of a row of a set operation.
        Of("Double", "Money / 3", r => (double?)(r.Money / 3)),
        Of("Double", "Plain rounded", r => (double?)Math.Round(r.Plain!.Value, 1)),
        Of("Double", "Int as double / 4", r => r.Int / 4.0),
        Of("Double", "Double + Single", r => r.Double + r.Single),
        Of("Text", "Text + Plainest", r => r.Text + r.Plainest),
        Of("Text", "Text upper", r => r.Text!.ToUpper()),
        Of("Text", "Plainest or Text", r => r.Plainest ?? r.Text),
        Of("Text", "Text of Flag", r => r.Flag == true ? "yes" : r.Flag == false ? "no" : null),
        Of("Text", "Text of Int", r => r.Int.ToString()),
        Of("Plainest", "Plainest trimmed", r => r.Plainest!.Trim()),
        Of("Text", "Text by \"C\"", r => EF.Functions.Collate(r.Text!, "C")),
        Of("Flag", "Int > 2", r => r.Int > 2),
        Of("Flag", "Text is null", r => r.Text == null),
        Of("Day", "the next Day of 2024", r => r.Day < new DateOnly(3000, 1, 1) && r.Day > new DateOnly(1000, 1, 1) ? r.Day!.Value.AddDays(1) : r.Day),
        Of("Numbers", "Numbers", r => r.Numbers),
    ];

    /// <summary>Gets what is computed of a group.</summary>
    public static IReadOnlyList<(string Column, string Shape, LambdaExpression Value)> Aggregates { get; } =
    [
        OfGroup("Int", "count", g => g.Count()),
        OfGroup("Long", "long count", g => g.LongCount()),
        OfGroup("Int", "count some", g => g.Count(r => r.Int > 1)),
        OfGroup("Int", "count of Text", g => g.Count(r => r.Text != null)),
        OfGroup("Int", "sum Int", g => g.Sum(r => r.Int)),
        OfGroup("Int", "sum Short", g => g.Sum(r => r.Short)),
        OfGroup("Long", "sum Long", g => g.Sum(r => r.Long)),
        OfGroup("Money", "sum Money", g => g.Sum(r => r.Money)),
        OfGroup("Plain", "sum Plain", g => g.Sum(r => r.Plain)),
        OfGroup("Single", "sum Single", g => g.Sum(r => r.Single)),
        OfGroup("Double", "sum Double", g => g.Sum(r => r.Double)),
        OfGroup("Money", "sum of some", g => g.Where(r => r.Flag == true).Sum(r => r.Money)),
        OfGroup("Plain", "average Money", g => g.Average(r => r.Money)),
        OfGroup("Plain", "average Plain", g => g.Average(r => r.Plain)),
        OfGroup("Double", "average Int", g => g.Average(r => r.Int)),
        OfGroup("Double", "average Long", g => g.Average(r => r.Long)),
        OfGroup("Double", "average Double", g => g.Average(r => r.Double)),
        OfGroup("Single", "average Single", g => g.Average(r => r.Single)),
        OfGroup("Plain", "average of some", g => g.Where(r => r.Int > 1).Average(r => r.Money)),
        OfGroup("Int", "least Int", g => g.Min(r => r.Int)),
        OfGroup("Short", "greatest Short", g => g.Max(r => r.Short)),
        OfGroup("Text", "least Text", g => g.Min(r => r.Text)),
        OfGroup("Plainest", "greatest Plainest", g => g.Max(r => r.Plainest)),
        OfGroup("Code", "greatest Code", g => g.Max(r => r.Code)),
        OfGroup("Fixed", "least Fixed", g => g.Min(r => r.Fixed)),
        OfGroup("Utc", "greatest Utc", g => g.Max(r => r.Utc)),
        OfGroup("Local", "least Local", g => g.Min(r => r.Local)),
        OfGroup("Day", "least Day", g => g.Min(r => r.Day)),
        OfGroup("Time", "greatest Time", g => g.Max(r => r.Time)),
        OfGroup("Span", "greatest Span", g => g.Max(r => r.Span)),
        OfGroup("Mood", "greatest Mood", g => g.Max(r => r.Mood)),
        OfGroup("Money", "greatest Money", g => g.Max(r => r.Money)),
        OfGroup("Double", "greatest Double", g => g.Max(r => r.Double)),
        OfGroup("Int", "different Ints", g => g.Select(r => r.Int).Distinct().Count()),
        OfGroup("Int", "different Texts", g => g.Select(r => r.Text).Distinct().Count()),
        OfGroup("Long", "different Moneys", g => g.Select(r => r.Money).Distinct().LongCount()),
        OfGroup("Money", "sum of different Moneys", g => g.Select(r => r.Money).Distinct().Sum()),
        OfGroup("Plain", "average of different Moneys", g => g.Select(r => r.Money).Distinct().Average()),
        OfGroup("Int", "greatest less least", g => g.Max(r => r.Int) - g.Min(r => r.Int)),
        OfGroup("Plain", "sum by count", g => g.Sum(r => r.Money) / g.Count()),
        OfGroup("Text", "all Codes", g => string.Join(",", g.OrderBy(r => r.K).ThenBy(r => r.Id).ThenBy(r => r.N).Select(r => r.Code))),
        OfGroup("Flag", "count > 1", g => g.Count() > 1),
        OfGroup("Double", "deviation", g => EF.Functions.StandardDeviationPopulation(g.Select(r => r.Int!.Value))),
    ];

    private static (string, string, LambdaExpression) Of<T>(string column, string shape, Expression<Func<Row, T>> value) => (column, shape, value);

    private static (string, string, LambdaExpression) OfGroup<T>(string column, string shape, Expression<Func<IGrouping<Row, Row>, T>> value) => (column, shape, value);
}
