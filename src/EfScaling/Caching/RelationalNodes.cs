using System.Collections.Frozen;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Caching;

/// <summary>The kinds of nodes of EF's own SQL tree.</summary>
internal static class RelationalNodes
{
    private static readonly FrozenSet<Type> _known = new[]
    {
        typeof(AtTimeZoneExpression), typeof(CaseExpression), typeof(CollateExpression), typeof(ColumnExpression), typeof(CrossApplyExpression),
        typeof(CrossJoinExpression), typeof(DeleteExpression), typeof(DistinctExpression), typeof(ExceptExpression), typeof(ExistsExpression),
        typeof(FromSqlExpression), typeof(InExpression), typeof(InnerJoinExpression), typeof(IntersectExpression), typeof(JsonScalarExpression),
        typeof(LeftJoinExpression), typeof(LikeExpression), typeof(OrderingExpression), typeof(OuterApplyExpression), typeof(ProjectionExpression),
        typeof(RightJoinExpression), typeof(RowNumberExpression), typeof(RowValueExpression), typeof(ScalarSubqueryExpression), typeof(SelectExpression),
        typeof(SqlBinaryExpression), typeof(SqlConstantExpression), typeof(SqlFragmentExpression), typeof(SqlFunctionExpression),
        typeof(SqlParameterExpression), typeof(SqlUnaryExpression), typeof(TableExpression), typeof(TableValuedFunctionExpression), typeof(UnionExpression),
        typeof(UpdateExpression), typeof(ValuesExpression),
    }.ToFrozenSet();

    /// <summary>Returns whether the node is of a known kind; one derived from a known kind is not.</summary>
    public static bool Contains(Type node) => _known.Contains(node);
}
