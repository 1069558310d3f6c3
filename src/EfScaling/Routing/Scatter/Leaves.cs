using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Replaces what expressions read of the rows of a select by the columns of an intermediate result with those rows.</summary>
/// <param name="number">The number of the step that collects the rows.</param>
/// <param name="tables">The aliases of the tables of the select. What is read of selects around it stays.</param>
internal sealed class Leaves(int number, IReadOnlySet<string> tables) : ExpressionVisitor
{
    // How many of the columns belong to keys of groups; negative without groups, and within what may read any column of the rows.
    private int _keys = -1;

    /// <summary>Gets what is read of the rows, in the order of the columns.</summary>
    public List<SqlExpression> Columns { get; } = [];

    /// <summary>Rewrites the keys of the groups that the select forms; nothing else may have been rewritten before.</summary>
    public List<SqlExpression> VisitKeys(IReadOnlyList<SqlExpression> keys)
    {
        var visited = keys.Select(k => Visit(k)!).ToList();
        _keys = keys.Count > 0 ? Columns.Count : -1;
        return visited;
    }

    /// <summary>Rewrites an expression.</summary>
    /// <exception cref="ScatterRefusedException">It holds a subquery that no shard can compute, because it depends on a select around as well, or that is computed of a group.</exception>
    public SqlExpression? Visit(SqlExpression? expression) => (SqlExpression?)base.Visit(expression);

    /// <inheritdoc />
    protected override Expression VisitExtension(Expression node) => node switch
    {
        ColumnExpression column => tables.Contains(column.TableAlias) ? ColumnOf(column) : column,

        // What reads nothing but collected rows and reference tables is computed from the intermediate result as well; the rest where the rows are.
        ScalarSubqueryExpression or ExistsExpression or InExpression { Subquery: not null } when SqlShapes.CountPlaced(node) > 0 =>
            SqlShapes.IsWithin(node, tables) && (_keys < 0 || Columns.Take(_keys).Contains(node)) ? ColumnOf((SqlExpression)node) : throw new ScatterRefusedException(ScatterRule.CorrelatedSubquery, node),
        _ when AggregateFunction.Is(node) => VisitAggregate(node),
        _ => base.VisitExtension(node),
    };

    private Expression VisitAggregate(Expression node)
    {
        (var keys, _keys) = (_keys, -1);
        var visited = base.VisitExtension(node);
        _keys = keys;
        return visited;
    }

    private ColumnExpression ColumnOf(SqlExpression expression)
    {
        var ordinal = Columns.IndexOf(expression);
        if (ordinal < 0)
        {
            ordinal = Columns.Count;
            Columns.Add(expression);
        }

        return new ColumnExpression(IntermediateResult.Column(ordinal), IntermediateResult.AliasOf(number), expression.Type, expression.TypeMapping, nullable: true);
    }
}
