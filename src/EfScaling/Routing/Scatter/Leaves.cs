using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Replaces what expressions read of the rows of a select by the columns of an intermediate result with those rows.</summary>
/// <param name="number">The number of the step that collects the rows.</param>
/// <param name="tables">The aliases of the tables of the select. What is read of selects around it stays.</param>
internal sealed class Leaves(int number, IReadOnlySet<string> tables) : ExpressionVisitor
{
    /// <summary>Gets what is read of the rows, in the order of the columns.</summary>
    public List<SqlExpression> Columns { get; } = [];

    /// <summary>Rewrites an expression.</summary>
    /// <exception cref="ScatterRefusedException">It holds a subquery that no shard can compute, because it depends on a select around as well.</exception>
    public SqlExpression? Visit(SqlExpression? expression) => (SqlExpression?)base.Visit(expression);

    /// <inheritdoc />
    protected override Expression VisitExtension(Expression node) => node switch
    {
        ColumnExpression column => tables.Contains(column.TableAlias) ? ColumnOf(column) : column,

        // What reads nothing but collected rows and reference tables is computed from the intermediate result as well; the rest where the rows are.
        ScalarSubqueryExpression or ExistsExpression or InExpression { Subquery: not null } when SqlShapes.CountPlaced(node) > 0 =>
            SqlShapes.IsWithin(node, tables) ? ColumnOf((SqlExpression)node) : throw new ScatterRefusedException(ScatterRule.CorrelatedSubquery, node),
        _ => base.VisitExtension(node),
    };

    private ColumnExpression ColumnOf(SqlExpression expression)
    {
        var ordinal = Columns.IndexOf(expression);
        if (ordinal < 0)
        {
            ordinal = Columns.Count;
            Columns.Add(expression);
        }

        return new ColumnExpression(IntermediateResult.Column(ordinal), FormattableString.Invariant($"efscaling_r{number}"), expression.Type, expression.TypeMapping, nullable: true);
    }
}
