using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Rewrites what is computed for groups so that it is computed from the parts of the groups that the shards have.</summary>
/// <param name="alias">What the collected parts are called.</param>
/// <param name="types">Tells the types of what each shard computes.</param>
/// <param name="columns">Takes what each shard computes, with the types.</param>
internal sealed class GroupSplitter(string alias, SqlTypes types, List<(SqlExpression Expression, string Type)> columns) : ExpressionVisitor
{
    private readonly List<(SqlExpression Expression, ColumnExpression Column)> _known = [];
    private int _keys;

    /// <summary>Gets whether something depends on rows that the parts do not tell.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>Adds a key of the groups.</summary>
    public void AddKey(SqlExpression key, string type)
    {
        _known.Add((key, Add(key, type)));
        _keys = _known.Count;
    }

    /// <summary>Adds an expression whose different values are counted or summed: the parts of the groups are those of its values.</summary>
    public void AddDistinct(SqlExpression argument, string type) => _known.Add((argument, Add(argument, type)));

    /// <summary>Rewrites an expression.</summary>
    public SqlExpression? Visit(SqlExpression? expression) => (SqlExpression?)base.Visit(expression);

    /// <inheritdoc />
    protected override Expression VisitExtension(Expression node)
    {
        if (node is not SqlExpression expression)
        {
            HasFailed |= SqlShapes.IsCorrelated((node as SelectExpression)!);
            return node;
        }

        if (_known.Take(_keys).FirstOrDefault(k => k.Expression.Equals(expression)) is { Column: { } key })
        {
            return key;
        }

        if (AggregateFunction.Is(node))
        {
            return Split((SqlFunctionExpression)node);
        }

        HasFailed |= node is ColumnExpression;
        return node switch
        {
            ScalarSubqueryExpression or ExistsExpression => Independent(node),
            InExpression { Subquery: not null } among => among.Update((SqlExpression)Visit((Expression)among.Item), among.Subquery),
            _ => base.VisitExtension(node),
        };
    }

    private Expression Independent(Expression node)
    {
        HasFailed |= SqlShapes.IsCorrelated(node is ScalarSubqueryExpression scalar ? scalar.Subquery : ((ExistsExpression)node).Subquery);
        return node;
    }

    private SqlExpression Split(SqlFunctionExpression aggregate)
    {
        if (AggregateFunction.DistinctOf(aggregate) is { } argument)
        {
            // Each value is in one part of each shard, and counts once.
            var column = _known.Skip(_keys).First(k => k.Expression.Equals(argument)).Column;
            HasFailed |= AggregateFunction.IsQualified(aggregate);
            return AggregateFunction.OverDistinct(aggregate, column);
        }

        if (AggregateFunction.Split(aggregate, types, Add) is { } whole)
        {
            return whole;
        }

        HasFailed = true;
        return aggregate;
    }

    private ColumnExpression Add(SqlExpression expression, string type)
    {
        var ordinal = columns.FindIndex(c => c.Type == type && SqlShapes.AreEqual(c.Expression, expression));
        if (ordinal < 0)
        {
            ordinal = columns.Count;
            columns.Add((expression, type));
        }

        return new ColumnExpression(IntermediateResult.Column(ordinal), alias, expression.Type, expression.TypeMapping, nullable: true);
    }
}
