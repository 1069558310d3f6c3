using System.Collections.Immutable;
using System.Globalization;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Which rows of an order a select gives. Immutable and thread-safe.</summary>
/// <param name="Offset">How many rows to leave out: the least of some numbers; empty for none.</param>
/// <param name="Limit">How many rows to give then: the least of some numbers; empty for all.</param>
internal sealed record Page(ImmutableArray<KeyTerm> Offset, ImmutableArray<KeyTerm> Limit)
{
    /// <summary>Returns the page of a select; <see langword="null"/> if the numbers are computed.</summary>
    public static Page? Of(SelectExpression select) => TermsOf(select.Offset) is { } offset && TermsOf(select.Limit) is { } limit ? new Page(offset, limit) : null;

    /// <summary>Returns how many rows to leave out.</summary>
    /// <param name="parameters">The parameters of the query.</param>
    /// <exception cref="InvalidOperationException">The number is negative.</exception>
    public long OffsetIn(IReadOnlyDictionary<string, object?> parameters) => Offset.IsEmpty ? 0 : Offset.Min(t => NumberIn(t, parameters));

    /// <summary>Returns how many rows to give then; <see cref="long.MaxValue"/> for all.</summary>
    /// <param name="parameters">The parameters of the query.</param>
    /// <exception cref="InvalidOperationException">The number is negative.</exception>
    public long LimitIn(IReadOnlyDictionary<string, object?> parameters) => Limit.IsEmpty ? long.MaxValue : Limit.Min(t => NumberIn(t, parameters));

    // EF says so of a limit behind another.
    private static ImmutableArray<KeyTerm>? TermsOf(SqlExpression? count)
    {
        if (count is null)
        {
            return [];
        }

        IReadOnlyList<SqlExpression> terms = count is SqlFunctionExpression { IsBuiltIn: true, Name: "LEAST", Arguments: { } arguments } ? arguments : [count];
        return terms.All(t => KeyTerm.Of(t) is not null) ? [.. terms.Select(t => KeyTerm.Of(t)!)] : null;
    }

    // PostgreSQL refuses negative numbers, and shards get no more than their sum.
    private static long NumberIn(KeyTerm term, IReadOnlyDictionary<string, object?> parameters)
    {
        var number = Convert.ToInt64(term.ValueIn(parameters), CultureInfo.InvariantCulture);
        return number >= 0
            ? number
            : throw new InvalidOperationException(
                string.Create(CultureInfo.InvariantCulture, $"A query was to skip or to take {number} rows, and the number may not be negative. Check the numbers given to Skip(...) and Take(...)."));
    }
}
