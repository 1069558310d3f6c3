using System.Linq.Expressions;
using EfScaling.Routing.Scatter;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Shards;

/// <summary>Gathers what is certain about the rows of a select, from its conditions and from how its tables are joined.</summary>
/// <remarks>Only conditions that every row meets are followed. Immutable; what it fills is not thread-safe.</remarks>
internal static class SelectFacts
{
    /// <summary>Returns where the rows of a table live; <see langword="null"/> if the model does not know it.</summary>
    public static ShardedTable? PlaceOf(TableExpression table) => ShardedModel.Of(table.Table.Model.Model).Find(table.Schema, table.Name);

    /// <summary>Returns what is certain about the rows of a select.</summary>
    /// <param name="select">The select.</param>
    /// <param name="around">What is certain about the rows around it.</param>
    public static KeyFacts Of(SelectExpression select, KeyFacts around)
    {
        var facts = around.Copy();
        facts.Add(select.Predicate);
        foreach (var table in select.Tables)
        {
            Add(table, facts);
        }

        return facts;
    }

    /// <summary>Adds what is certain because a table is part of a select.</summary>
    public static void Add(TableExpressionBase table, KeyFacts facts)
    {
        switch (table)
        {
            case TableExpression plain:
                if (PlaceOf(plain) is { } known)
                {
                    facts.Note(plain.Alias, known);
                }

                break;

            case InnerJoinExpression join:
                facts.Add(join.JoinPredicate);
                Add(join.Table, facts);
                break;

            case CrossJoinExpression or CrossApplyExpression:
                Add(((JoinExpressionBase)table).Table, facts);
                break;

            case SelectExpression { Alias: { } alias } derived:
                AddProjection(derived, alias, Of(derived, facts), facts);
                break;

            case SetOperationBase { Alias: { } alias } operation:
                AddOperation(operation, alias, facts);
                break;
        }
    }

    // The columns that a derived table shows hold what the ones that they are made of hold.
    private static void AddProjection(SelectExpression derived, string alias, KeyFacts inside, KeyFacts outside)
    {
        foreach (var projection in derived.Projection)
        {
            if (KeyFacts.ColumnOf(projection.Expression) is not { } column)
            {
                continue;
            }

            if (IsTransparent(derived, column))
            {
                outside.Equate((alias, projection.Alias), column);
            }
            else if (inside.ColumnsLike(column).FirstOrDefault(c => !SqlShapes.Defines(derived, c.Table)) is { Table: not null } other)
            {
                // Each of its rows belongs to one around it, and holds the same value.
                outside.Equate((alias, projection.Alias), other);
            }

            if (inside.TermsOf(column) is { IsDefault: false } terms)
            {
                outside.Constrain((alias, projection.Alias), terms);
            }

            if (inside.BucketIn(column) is { } bucket)
            {
                outside.Note((alias, projection.Alias), bucket);
            }
        }
    }

    private static void AddOperation(SetOperationBase operation, string alias, KeyFacts facts)
    {
        var (first, second) = (Of(operation.Source1, facts), Of(operation.Source2, facts));
        for (var i = 0; i < operation.Source1.Projection.Count; i++)
        {
            if (KeyFacts.ColumnOf(operation.Source1.Projection[i].Expression) is { } one
                && KeyFacts.ColumnOf(operation.Source2.Projection[i].Expression) is { } other
                && first.TermsOf(one) is { IsDefault: false } these
                && second.TermsOf(other) is { IsDefault: false } those)
            {
                facts.Constrain((alias, operation.Source1.Projection[i].Alias), these.AddRange(those));
            }
        }
    }

    /// <summary>Returns what is certain about the rows inside a derived table: whatever is about the columns that it shows where it could be checked there as well.</summary>
    /// <param name="derived">The derived table, or an arm of a set operation.</param>
    /// <param name="facts">What is certain outside.</param>
    /// <param name="columns">The set operation, whose first arm names the columns; <see langword="null"/> if there is none.</param>
    public static KeyFacts Inside(SelectExpression derived, KeyFacts facts, SetOperationBase? columns)
    {
        var inside = facts.Copy();
        var alias = columns?.Alias ?? derived.Alias;
        for (var i = 0; i < derived.Projection.Count; i++)
        {
            var shown = (columns?.Source1 ?? derived).Projection[i].Alias;
            if (alias is not null && KeyFacts.ColumnOf(derived.Projection[i].Expression) is { } column && IsTransparent(derived, column))
            {
                inside.Equate(column, (alias, shown));
            }
        }

        return inside;
    }

    /// <summary>Returns whether a condition on a column that a select shows could as well be checked inside.</summary>
    public static bool IsTransparent(SelectExpression select, (string Table, string Column) column)
    {
        if (select.Limit is not null || select.Offset is not null)
        {
            return false;
        }

        if (select.GroupBy.Count > 0 && !select.GroupBy.Any(g => KeyFacts.ColumnOf(g) == column))
        {
            return false;
        }

        return select.Projection.All(p => p.Expression switch
        {
            RowNumberExpression window => window.Partitions.Any(e => KeyFacts.ColumnOf(e) == column),
            SqlExpression other => !Windows.In(other),
        });
    }

    private sealed class Windows : ExpressionVisitor
    {
        private bool _found;

        public static bool In(Expression expression)
        {
            var search = new Windows();
            search.Visit(expression);
            return search._found;
        }

        protected override Expression VisitExtension(Expression node)
        {
            _found |= node is RowNumberExpression;
            return node is SelectExpression ? node : base.VisitExtension(node);
        }
    }
}
