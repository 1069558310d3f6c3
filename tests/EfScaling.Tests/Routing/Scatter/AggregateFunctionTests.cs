// The provider's aggregates have no public name.
#pragma warning disable EF1001

using EfScaling.Routing.Scatter;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql.EntityFrameworkCore.PostgreSQL.Query.Expressions.Internal;

namespace EfScaling.Tests.Routing.Scatter;

/// <summary>What is taken for an aggregate.</summary>
public sealed class AggregateFunctionTests
{
    private static readonly SqlFragmentExpression _argument = new("x");

    [Fact]
    public void Aggregates_of_plugins_are_aggregates() => Assert.True(AggregateFunction.Is(Function("ST_Collect", [], [])));

    [Fact]
    public void Functions_with_names_or_separators_of_arguments_are_none() =>
        Assert.Equal((false, false), (AggregateFunction.Is(Function("make_interval", ["days"], [])), AggregateFunction.Is(Function("position", [], [" IN "]))));

    [Fact]
    public void Functions_of_the_same_name_that_are_none_are_not_taken_for_one() =>
        Assert.False(AggregateFunction.Is(new SqlFunctionExpression("ST_Collect", [_argument], true, [true], typeof(int), IntTypeMapping.Default)));

    private static PgFunctionExpression Function(string name, string[] names, string[] separators) =>
        new(name, [_argument], names, separators, false, null, [], true, [true], typeof(int), IntTypeMapping.Default);
}
