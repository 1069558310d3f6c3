// The provider's own nodes have no public names (npgsql/efcore.pg#3063); a node that is renamed or new counts as unknown, which keeps its query out of the cache.
#pragma warning disable EF1001

using System.Collections.Frozen;
using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Npgsql.EntityFrameworkCore.PostgreSQL.Query.Expressions.Internal;

namespace EfScaling.Caching;

/// <summary>The kinds of nodes that the Npgsql provider adds to EF's SQL tree.</summary>
internal static class ProviderNodes
{
    private static readonly FrozenSet<Type> _known = new[]
    {
        typeof(PgAllExpression), typeof(PgAnyExpression), typeof(PgArrayIndexExpression), typeof(PgArraySliceExpression), typeof(PgBinaryExpression),
        typeof(PgDeleteExpression), typeof(PgFunctionExpression), typeof(PgILikeExpression), typeof(PgJsonTraversalExpression), typeof(PgNewArrayExpression),
        typeof(PgRegexMatchExpression), typeof(PgRowValueExpression), typeof(PgTableValuedFunctionExpression), typeof(PgUnknownBinaryExpression),
        typeof(PgUnnestExpression),
    }.ToFrozenSet();

    // Written by the provider's translators for trigrams and by its plugin for PostGIS.
    private static readonly FrozenSet<string> _operators = new[] { "<->", "<<->", "<->>", "<<<->", "<->>>", "&&", "&&&" }.ToFrozenSet(StringComparer.Ordinal);

    // These compare with pg_trgm.similarity_threshold and its like.
    private static readonly FrozenSet<string> _thresholdOperators = new[] { "%", "<%", "%>", "<<%", "%>>" }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Returns whether the node is of a known kind.</summary>
    public static bool Contains(Type node) => _known.Contains(node);

    /// <summary>Takes a <c>DELETE</c> of the provider apart, whose own visiting skips its tables.</summary>
    /// <returns>The table and the further tables that the statement reads; <see langword="null"/> if the node is no such statement.</returns>
    public static (TableExpression Table, IReadOnlyList<TableExpressionBase> FromItems)? FindDelete(Expression node) =>
        node is PgDeleteExpression delete ? (delete.Table, delete.FromItems) : null;

    /// <summary>Judges an operator that the tree only has as text.</summary>
    /// <returns>Why its value does not follow from its operands; <see langword="null"/> if it does, or the node is none.</returns>
    public static CacheRefusal? JudgeOperator(Expression node) => node switch
    {
        PgUnknownBinaryExpression { Operator: var name } when _thresholdOperators.Contains(name) => new CacheRefusal(CacheObstacle.SessionState, name),
        PgUnknownBinaryExpression { Operator: var name } when !_operators.Contains(name) => new CacheRefusal(CacheObstacle.UnknownFunction, name),
        _ => null,
    };
}
