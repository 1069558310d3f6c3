using System.Collections.Immutable;
using System.Globalization;
using System.Linq.Expressions;
using System.Text;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Rows that were collected from shards, as a table of a further query, which gets them by parameters.</summary>
/// <remarks>
/// The values are sent as their text, from which PostgreSQL makes the same values again whatever their type. The rows have numbers, by which rows that an order
/// does not tell apart come in the same order wherever the query runs. Immutable.
/// </remarks>
internal sealed class IntermediateResult : FromSqlExpression
{
    /// <summary>The column with the number of the row.</summary>
    public const string Row = "efscaling_row";

    /// <summary>The column with the number of the shard that the row came from, and the parameter with the number of the shard that a query runs on.</summary>
    public const string Shard = "efscaling_shard";

    /// <param name="number">The number of the step that collects the rows.</param>
    /// <param name="types">The type of each column, as SQL.</param>
    public IntermediateResult(int number, ImmutableArray<string> types)
        : base(AliasOf(number), SqlOf(number, types), Expression.Constant(Array.Empty<object>()))
    {
        Number = number;
    }

    /// <summary>Gets the number of the step that collects the rows.</summary>
    public int Number { get; }

    /// <summary>Returns the name of a column.</summary>
    public static string Column(int ordinal) => string.Create(CultureInfo.InvariantCulture, $"c{ordinal}");

    /// <summary>Returns the name of the parameter with the values of a column.</summary>
    public static string Parameter(int number, int ordinal) => string.Create(CultureInfo.InvariantCulture, $"efscaling_r{number}_c{ordinal}");

    /// <summary>Returns the name of the parameter with the number of the shard of each row.</summary>
    public static string ShardParameter(int number) => string.Create(CultureInfo.InvariantCulture, $"efscaling_r{number}_shard");

    /// <summary>Returns the alias of the rows that a step has collected.</summary>
    public static string AliasOf(int number) => string.Create(CultureInfo.InvariantCulture, $"efscaling_r{number}");

    private static string SqlOf(int number, ImmutableArray<string> types)
    {
        var (shown, sent, names) = (new StringBuilder(), new StringBuilder(), new StringBuilder());
        for (var i = 0; i < types.Length; i++)
        {
            shown.Append(CultureInfo.InvariantCulture, $"t.{Column(i)}::{types[i]} AS {Column(i)}, ");
            sent.Append(CultureInfo.InvariantCulture, $"@{Parameter(number, i)}, ");
            names.Append(CultureInfo.InvariantCulture, $"{Column(i)}, ");
        }

        // The generator takes the text for a format.
        return $"SELECT {shown}t.shard AS {Shard}, t.row AS {Row} FROM unnest({sent}@{ShardParameter(number)}) WITH ORDINALITY AS t({names}shard, row)"
            .Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal);
    }
}
