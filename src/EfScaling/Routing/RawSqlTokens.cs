using System.Linq.Expressions;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>Reads zero for the <c>xmin</c> token of entities that come from the application's SQL or functions, whose rows lack the system column.</summary>
/// <remarks>
/// Without this every <c>FromSql("SELECT * FROM …")</c> would fail for want of a column that the application never heard of. A token of zero means "not
/// read": the entity is saved unchecked, as without EfScaling. SQL that is no plain query (<c>UPDATE … RETURNING</c>) cannot be read through another one
/// and is left alone; it must return <c>xmin</c> itself.
/// </remarks>
internal sealed class RawSqlTokens : ExpressionVisitor
{
    private readonly HashSet<string> _aliases = [];

    /// <summary>Rewrites a translated query.</summary>
    /// <returns>The query, and whether it has application SQL or functions with entities in it.</returns>
    public static (ShapedQueryExpression Query, bool HasRawEntities) Replace(ShapedQueryExpression query)
    {
        var visitor = new RawSqlTokens();
        new Collector(visitor._aliases).Visit(query.QueryExpression);
        return visitor._aliases.Count == 0
            ? (query, false)
            : (query.Update(visitor.Visit(query.QueryExpression), query.ShaperExpression), true);
    }

    /// <inheritdoc />
    protected override Expression VisitExtension(Expression node) => node switch
    {
        ColumnExpression { Name: WriteProtection.TokenName } column when _aliases.Contains(column.TableAlias) =>
            // PostgreSQL casts no number to a transaction id, but text.
            new SqlUnaryExpression(ExpressionType.Convert, new SqlConstantExpression("0", StringTypeMapping.Default), column.Type, column.TypeMapping),
        FromSqlExpression { Sql: var sql } fromSql when _aliases.Contains(fromSql.Alias) && sql.AsSpan().TrimEnd().EndsWith(";") =>
            new FromSqlExpression(fromSql.Alias, fromSql.Table!, sql.TrimEnd().TrimEnd(';'), fromSql.Arguments),
        _ => base.VisitExtension(node),
    };

    private sealed class Collector(HashSet<string> aliases) : ExpressionVisitor
    {
        private static readonly string[] _writingWords = ["INSERT", "UPDATE", "DELETE", "MERGE"];

        protected override Expression VisitExtension(Expression node)
        {
            switch (node)
            {
                case FromSqlExpression fromSql when HasAddedToken(fromSql.Table) && IsPlainQuery(fromSql.Sql):
                    aliases.Add(fromSql.Alias);
                    break;
                case TableValuedFunctionExpression function when HasAddedToken(((ITableBasedExpression)function).Table):
                    aliases.Add(function.Alias);
                    break;
            }

            return base.VisitExtension(node);
        }

        // A token that the application mapped itself is in its SQL as well.
        private static bool HasAddedToken(ITableBase? table) =>
            table?.EntityTypeMappings.Any(m => m.TypeBase is IEntityType e && e.GetProperties().Any(p => p[WriteProtection.TokenAnnotation] is true)) == true;

        private static bool IsPlainQuery(string sql)
        {
            var text = sql.AsSpan().TrimStart();
            return text.StartsWith("SELECT", StringComparison.OrdinalIgnoreCase)
                || text.StartsWith("TABLE", StringComparison.OrdinalIgnoreCase)
                || text.StartsWith("VALUES", StringComparison.OrdinalIgnoreCase)
                || (text.StartsWith("WITH", StringComparison.OrdinalIgnoreCase) && !Writes(sql));
        }

        private static bool Writes(string sql) =>
            _writingWords.Any(word => sql.Contains(word, StringComparison.OrdinalIgnoreCase));
    }
}
