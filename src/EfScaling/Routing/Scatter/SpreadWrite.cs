// A select of the tables of a DELETE is made by a constructor that is public but marked as internal.
#pragma warning disable EF1001

using System.Linq.Expressions;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Judges whether a set-based write can be left to each of several shards.</summary>
internal static class SpreadWrite
{
    /// <summary>Returns why it cannot; <see langword="null"/> if it can.</summary>
    /// <param name="root">The tree of an update or a delete.</param>
    public static ScatterRefusal? Judge(Expression root) => root switch
    {
        // Each copy would be written by the rows that live with it.
        UpdateExpression { Table: var table } when IsCopied(table) => CopiesRefusal(root),
        DeleteExpression { Table: var table } when IsCopied(table) => CopiesRefusal(root),
        _ when ProviderComparisons.FindDelete(root) is var (table, _, _) && IsCopied(table) => CopiesRefusal(root),
        UpdateExpression update => ScatterPlanner.Judge(update.SelectExpression, update.ColumnValueSetters.Select(s => s.Value)),
        DeleteExpression delete => ScatterPlanner.Judge(delete.SelectExpression, []),
        _ when ProviderComparisons.FindDelete(root) is var (table, others, predicate) => ScatterPlanner.Judge(
            new SelectExpression(
                alias: null,
                [table, .. others.Select(o => o as JoinExpressionBase ?? (TableExpressionBase)new CrossJoinExpression(o))],
                predicate,
                groupBy: [],
                having: null,
                projections: [],
                distinct: false,
                orderings: [],
                offset: null,
                limit: null,
                sqlAliasManager: null!,
                tags: new HashSet<string>(),
                annotations: null),
            []),
        _ => new ScatterRefusedException(ScatterRule.NotUnderstood, root).Refusal,
    };

    private static bool IsCopied(TableExpression table) => SelectFacts.PlaceOf(table) is { Placement: TablePlacement.Reference };

    private static ScatterRefusal CopiesRefusal(Expression root) => new ScatterRefusedException(ScatterRule.WriteFromOtherRows, root).Refusal;
}
