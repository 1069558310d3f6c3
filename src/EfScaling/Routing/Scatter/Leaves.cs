using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Replaces what expressions read of the rows of a select by the columns of an intermediate result with those rows.</summary>
/// <param name="number">The number of the step that collects the rows.</param>
internal sealed class Leaves(int number) : ExpressionVisitor
{
    /// <summary>Gets what is read of the rows, in the order of the columns.</summary>
    public List<SqlExpression> Columns { get; } = [];

    /// <summary>Rewrites an expression.</summary>
    public SqlExpression? Visit(SqlExpression? expression) => (SqlExpression?)base.Visit(expression);

    /// <inheritdoc />
    protected override Expression VisitExtension(Expression node) => node switch
    {
        ColumnExpression column => ColumnOf(column),
        ScalarSubqueryExpression { Subquery: var subquery } scalar when SqlShapes.IsCorrelated(subquery) => ColumnOf(scalar),
        ExistsExpression { Subquery: var subquery } exists when SqlShapes.IsCorrelated(subquery) => ColumnOf(exists),
        InExpression { Subquery: { } subquery } among => SqlShapes.IsCorrelated(subquery) ? ColumnOf(among) : among.Update((SqlExpression)Visit((Expression)among.Item), subquery),
        ScalarSubqueryExpression or ExistsExpression => node,
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
