// The provider's aggregates have no public name (npgsql/efcore.pg#3063); one that is renamed or new is not taken for one, and its query is refused or computed from all rows.
#pragma warning disable EF1001

using System.Collections.Frozen;
using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql.EntityFrameworkCore.PostgreSQL.Query.Expressions.Internal;

namespace EfScaling.Routing.Scatter;

/// <summary>Splits aggregates into what each shard computes of its rows, and what makes the whole of those parts.</summary>
/// <remarks>The whole is computed by PostgreSQL as well, so that types, scales and nulls are its own. Sums of floating-point numbers depend on the order of their terms, as they do on one server.</remarks>
internal static class AggregateFunction
{
    private static readonly FrozenSet<string> _names = new[]
    {
        "count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every", "any_value", "string_agg", "array_agg", "json_agg", "jsonb_agg", "json_object_agg",
        "jsonb_object_agg", "bit_and", "bit_or", "bit_xor", "range_agg", "range_intersect_agg", "xmlagg", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop",
        "var_samp", "corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy",
        "regr_syy", "mode", "percentile_cont", "percentile_disc",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Returns whether a node is an aggregate.</summary>
    /// <remarks>The provider makes all aggregates, those of plugins too, of a kind of its own, which else is only for functions with names or separators of arguments.</remarks>
    public static bool Is(Expression node) =>
        node is PgFunctionExpression { ArgumentNames.Count: 0, ArgumentSeparators.Count: 0 }
        || (node is SqlFunctionExpression { IsBuiltIn: true, Instance: null } function && _names.Contains(function.Name));

    /// <summary>Returns the expression whose different values alone count; <see langword="null"/> if all rows do.</summary>
    public static SqlExpression? DistinctOf(SqlFunctionExpression aggregate) =>
        aggregate is PgFunctionExpression { IsAggregateDistinct: true, Arguments: [var argument] } ? argument
        : aggregate.Arguments is [DistinctExpression { Operand: var operand }] ? operand
        : null;

    /// <summary>Returns whether only some of the rows count, or their order.</summary>
    public static bool IsQualified(SqlFunctionExpression aggregate) => aggregate is PgFunctionExpression { AggregatePredicate: not null } or PgFunctionExpression { AggregateOrderings.Count: > 0 };

    /// <summary>Returns an aggregate of different values over another column with them.</summary>
    public static SqlFunctionExpression OverDistinct(SqlFunctionExpression aggregate, ColumnExpression column) =>
        aggregate.Update(null, [aggregate is PgFunctionExpression { IsAggregateDistinct: true } ? column : new DistinctExpression(column)]);

    /// <summary>Splits an aggregate over all rows.</summary>
    /// <param name="aggregate">The aggregate.</param>
    /// <param name="types">Tells the types of arguments.</param>
    /// <param name="part">Adds what a shard computes, with its type, and returns the column of the parts.</param>
    /// <returns>What makes the whole of the parts; <see langword="null"/> if that is not known.</returns>
    public static SqlExpression? Split(SqlFunctionExpression aggregate, SqlTypes types, Func<SqlExpression, string, ColumnExpression> part)
    {
        var ordered = aggregate is PgFunctionExpression { AggregateOrderings.Count: > 0 };
        if (ordered || aggregate.Arguments is not { } arguments)
        {
            return null;
        }

        switch (aggregate.Name.ToUpperInvariant())
        {
            case "COUNT":
                return Call("coalesce", aggregate, AsLong(Call("sum", aggregate, part(aggregate, "bigint"))), new SqlFragmentExpression("0"));

            case "SUM" when SumTypeOf(types.Of(arguments[0])) is { } sum:
                var total = Call("sum", aggregate, part(aggregate, sum));
                return sum == "bigint" ? AsLong(total) : total;

            case "MIN" or "MAX" or "BOOL_AND" or "BOOL_OR" when types.Of(arguments[0]) is { } type:
                return Call(aggregate.Name, aggregate, part(aggregate, type));

            // The server computes it this way, too, with the scale that its division gives.
            case "AVG" when !IsQualified(aggregate) && SumTypeOf(types.Of(arguments[0])) is { } sum and not ("real" or "interval"):
                var terms = Call("sum", aggregate, part(Call("sum", aggregate, arguments[0]), sum == "bigint" ? "numeric" : sum));
                var count = Call("sum", aggregate, part(Call("count", aggregate, arguments[0]), "bigint"));
                return new SqlBinaryExpression(ExpressionType.Divide, terms, Call("nullif", aggregate, count, new SqlFragmentExpression("0")), aggregate.Type, aggregate.TypeMapping);

            default:
                return null;
        }
    }

    private static string? SumTypeOf(string? type) => type switch
    {
        "smallint" or "integer" => "bigint",
        "bigint" or "numeric" => "numeric",
        "real" => "real",
        "double precision" => "double precision",
        "interval" => "interval",
        _ => null,
    };

    private static SqlFunctionExpression Call(string name, SqlFunctionExpression like, params SqlExpression[] arguments) =>
        new(name, arguments, nullable: true, arguments.Select(_ => false), like.Type, like.TypeMapping);

    private static SqlUnaryExpression AsLong(SqlExpression operand) => new(ExpressionType.Convert, operand, typeof(long), LongTypeMapping.Default);
}
