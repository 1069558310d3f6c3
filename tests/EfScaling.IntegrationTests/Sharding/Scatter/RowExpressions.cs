using System.Collections.Immutable;
using System.Linq.Expressions;
using System.Reflection;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Makes expressions over rows from parts.</summary>
internal static class RowExpressions
{
    private static readonly PropertyInfo[] _values = [.. typeof(Various).GetProperties().OrderBy(p => p.Name, StringComparer.Ordinal)];

    /// <summary>Gets the properties of a row that holds all.</summary>
    public static ImmutableSortedSet<string> AllColumns { get; } = [.. _values.Select(p => p.Name), "K", "Id", "N"];

    /// <summary>Selects rows from whatever a query reads.</summary>
    /// <param name="query">The query.</param>
    /// <param name="k">The shard key, or what stands for it.</param>
    /// <param name="id">What tells rows of one key apart.</param>
    /// <param name="n">What tells rows of one id apart.</param>
    /// <param name="values">Where the values are.</param>
    /// <param name="others">Properties that hold something else.</param>
    public static IQueryable<Row> ToRows<T>(
        this IQueryable<T> query,
        Expression<Func<T, int?>> k,
        Expression<Func<T, int?>> id,
        Expression<Func<T, int?>> n,
        Expression<Func<T, Various?>> values,
        params (string Name, LambdaExpression Value)[] others)
    {
        var row = Expression.Parameter(typeof(T), "x");
        var source = In(values, row);
        source = source is UnaryExpression { NodeType: ExpressionType.Convert, Operand: var operand } ? operand : source;
        var bound = _values.Where(p => others.All(o => o.Name != p.Name)).Select(p => (p.Name, Value: (Expression)Expression.Property(source, p.Name)))
            .Concat(others.Select(o => (o.Name, In(o.Value, row))))
            .Append(("K", In(k, row))).Append(("Id", In(id, row))).Append(("N", In(n, row)));
        return query.Select(Expression.Lambda<Func<T, Row>>(NewRow(bound), row));
    }

    /// <summary>Makes a row with some of its properties set.</summary>
    public static MemberInitExpression NewRow(IEnumerable<(string Name, Expression Value)> bound) =>
        Expression.MemberInit(Expression.New(typeof(Row)), bound.Select(b => Expression.Bind(typeof(Row).GetProperty(b.Name)!, Fitting(b.Value, typeof(Row).GetProperty(b.Name)!.PropertyType))));

    /// <summary>Returns a lambda's body over another parameter.</summary>
    public static Expression In(LambdaExpression lambda, Expression parameter) => new Swap(lambda.Parameters[0], parameter).Visit(lambda.Body);

    /// <summary>Returns a condition on values as one on rows that have them.</summary>
    public static Expression<Func<T, bool>> On<T>(Expression<Func<Various, bool>> condition)
    {
        var row = Expression.Parameter(typeof(T), "x");
        return Expression.Lambda<Func<T, bool>>(In(condition, row), row);
    }

    /// <summary>Returns the properties that a lambda reads of its rows.</summary>
    public static ISet<string> ReadBy(LambdaExpression lambda)
    {
        var reads = new Reads();
        reads.Visit(lambda.Body);
        return reads.Names;
    }

    /// <summary>Adds an order by any expression.</summary>
    public static IQueryable<Row> OrderBy(IQueryable<Row> query, LambdaExpression key, bool isDescending, bool isFirst) =>
        query.Provider.CreateQuery<Row>(Expression.Call(
            typeof(Queryable),
            (isFirst, isDescending) switch
            {
                (true, false) => nameof(Queryable.OrderBy),
                (true, true) => nameof(Queryable.OrderByDescending),
                (false, false) => nameof(Queryable.ThenBy),
                _ => nameof(Queryable.ThenByDescending),
            },
            [typeof(Row), key.ReturnType],
            query.Expression,
            Expression.Quote(key)));

    /// <summary>Returns what reads a property.</summary>
    public static LambdaExpression Property(string name)
    {
        var row = Expression.Parameter(typeof(Row), "r");
        return Expression.Lambda(Expression.Property(row, name), row);
    }

    private static Expression Fitting(Expression value, Type type) => value.Type == type ? value : Expression.Convert(value, type);

    private sealed class Swap(ParameterExpression from, Expression to) : ExpressionVisitor
    {
        protected override Expression VisitParameter(ParameterExpression node) => node == from ? to : node;
    }

    private sealed class Reads : ExpressionVisitor
    {
        public HashSet<string> Names { get; } = [];

        protected override Expression VisitMember(MemberExpression node)
        {
            // Of rows and of the groups that they form, not of captured values and entities.
            if (node.Expression is ParameterExpression { Type: var type } && (type == typeof(Row) || type == typeof(Various)))
            {
                Names.Add(node.Member.Name);
            }

            return base.VisitMember(node);
        }
    }
}
