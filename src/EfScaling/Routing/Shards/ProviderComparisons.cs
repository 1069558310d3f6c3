// The provider's own nodes have no public names (npgsql/efcore.pg#3063); one that is renamed or new is not recognised, and nothing is concluded from it.
#pragma warning disable EF1001

using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Npgsql.EntityFrameworkCore.PostgreSQL.Query.Expressions.Internal;

namespace EfScaling.Routing.Shards;

/// <summary>Recognises comparisons and statements that the Npgsql provider has nodes of its own for.</summary>
internal static class ProviderComparisons
{
    /// <summary>Takes <c>item = ANY (array)</c> apart.</summary>
    public static (SqlExpression Item, SqlExpression Array)? FindAny(Expression node) =>
        node is PgAnyExpression { OperatorType: PgAnyOperatorType.Equal } any ? (any.Item, any.Array) : null;

    /// <summary>Takes a <c>DELETE</c> apart.</summary>
    public static (TableExpression Table, IReadOnlyList<TableExpressionBase> FromItems, SqlExpression? Predicate)? FindDelete(Expression node) =>
        node is PgDeleteExpression delete ? (delete.Table, delete.FromItems, delete.Predicate) : null;
}
