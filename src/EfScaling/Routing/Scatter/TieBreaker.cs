using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Lets the primary keys of the rows decide where the order of a page does not, so that pages which are asked for one after the other have no row in common and leave none out.</summary>
/// <remarks>One database promises as little as PostgreSQL does, but mostly reads equal rows in the same order again; shards do not, each of which finds more rows for later pages.</remarks>
internal static class TieBreaker
{
    /// <summary>Returns a select that gives some rows of an order, with the order made certain.</summary>
    /// <param name="select">The select.</param>
    /// <param name="types">Tells the types of its columns. Those whose order is not exactly known, by which rows could not be merged as they stream, decide nothing.</param>
    public static SelectExpression Add(SelectExpression select, SqlTypes types)
    {
        if (select.Orderings.Count == 0 || select.IsDistinct || select.GroupBy.Count > 0)
        {
            return select;
        }

        var ordered = select.Orderings.Select(o => KeyFacts.ColumnOf(o.Expression)).ToHashSet();
        var keys = select.Tables
            .SelectMany(KeyOf)
            .Where(c => !ordered.Contains(KeyFacts.ColumnOf(c)) && MergeOrder.TypeOf(types.Of(c), out var isDefaultText) is not null && !isDefaultText)
            .Select(c => new OrderingExpression(c, ascending: true))
            .ToList();
        return keys.Count == 0
            ? select
            : select.Update(select.Tables, select.Predicate, select.GroupBy, select.Having, select.Projection, [.. select.Orderings, .. keys], select.Offset, select.Limit);
    }

    private static IEnumerable<ColumnExpression> KeyOf(TableExpressionBase table)
    {
        var plain = table is JoinExpressionBase join ? join.Table as TableExpression : table as TableExpression;
        return plain?.Table is ITable { PrimaryKey.Columns: var columns }
            ? columns.Select(c => new ColumnExpression(c.Name, plain.Alias, c.ProviderClrType, c.StoreTypeMapping, nullable: table is JoinExpressionBase))
            : [];
    }
}
