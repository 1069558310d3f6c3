using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Finds the expressions whose different values alone count in aggregates of a select.</summary>
internal sealed class DistinctArguments : ExpressionVisitor
{
    private readonly List<SqlExpression> _found = [];

    /// <summary>Returns them, each once.</summary>
    public static IReadOnlyList<SqlExpression> In(SelectExpression select)
    {
        var search = new DistinctArguments();
        foreach (var expression in select.Projection.Select(p => p.Expression).Concat(select.Orderings.Select(o => o.Expression)).Append(select.Having))
        {
            search.Visit(expression);
        }

        return search._found;
    }

    /// <inheritdoc />
    protected override Expression VisitExtension(Expression node)
    {
        if (AggregateFunction.Is(node) && AggregateFunction.DistinctOf((SqlFunctionExpression)node) is { } argument && !_found.Contains(argument))
        {
            _found.Add(argument);
        }

        return node is SelectExpression ? node : base.VisitExtension(node);
    }
}
