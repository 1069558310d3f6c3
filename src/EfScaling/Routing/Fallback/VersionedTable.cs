using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Fallback;

/// <summary>A table in a query for the fallback coordinator whose system columns the query reads, such as a row version that is mapped to <c>xmin</c>.</summary>
/// <remarks>
/// Only a view can have columns of these names there, and the one in the place of the table must not: <c>SELECT *</c> of the application would see them. So it is a view of its own. Immutable.
/// </remarks>
internal sealed class VersionedTable : FromSqlExpression
{
    private VersionedTable(TableExpression table)
        : base(table.Alias, SqlOf(table), Expression.Constant(Array.Empty<object>()))
    {
    }

    /// <summary>Returns a query with such tables in the place of those whose system columns it reads.</summary>
    public static SelectExpression PutInto(SelectExpression root)
    {
        var readers = new Readers();
        readers.Visit(root);
        return readers.Aliases.Count == 0 ? root : (SelectExpression)new Replacement(readers.Aliases).Visit(root);
    }

    // The generator takes the text for a format.
    private static string SqlOf(TableExpression table) =>
        $"SELECT * FROM {CoordinatorName.Of(CoordinatorName.Versions)}.{CoordinatorName.Of(CoordinatorName.OfVersions(table.Table.Schema, table.Table.Name))}"
            .Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal);

    private sealed class Readers : ExpressionVisitor
    {
        public HashSet<string> Aliases { get; } = new(StringComparer.Ordinal);

        protected override Expression VisitExtension(Expression node)
        {
            if (node is ColumnExpression column && SystemColumns.Contains(column.Name))
            {
                Aliases.Add(column.TableAlias);
            }

            return base.VisitExtension(node);
        }
    }

    private sealed class Replacement(HashSet<string> aliases) : ExpressionVisitor
    {
        protected override Expression VisitExtension(Expression node) =>
            node is TableExpression table && aliases.Contains(table.Alias) ? new VersionedTable(table) : base.VisitExtension(node);
    }
}
