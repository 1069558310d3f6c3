using System.Collections.Immutable;
using System.Linq.Expressions;
using EfScaling.Caching;
using EfScaling.Routing.Scatter;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Shards;

/// <summary>Reads off the final SQL tree of a command which shards the rows that count can live on.</summary>
/// <remarks>
/// <para>
/// What is concluded is certain: only conditions that every row of the result meets are followed, and only to rows that cannot matter otherwise. A condition
/// outside a select says something about its rows inside only if it could as well be checked there; not behind LIMIT, nor behind windows and groups that mix
/// several keys. The inner side of a left join follows the outer one by the join's own condition, never the other way.
/// </para>
/// <para>A kind of node that is not known here leads to no conclusion. Used once for each command; not thread-safe.</para>
/// </remarks>
internal sealed class ShardPlanReader
{
    private readonly List<PlacedTable> _tables = [];
    private readonly bool _comparesTexts;
    private string? _opaque;
    private string? _changedKey;
    private string? _copiedTable;

    private ShardPlanReader(bool comparesTexts) => _comparesTexts = comparesTexts;

    /// <summary>Reads the plan of a command.</summary>
    /// <param name="root">The tree: a select, an update or a delete.</param>
    public static ShardPlan Read(Expression root)
    {
        // A set operation compares by the looser collation of its arms, and its columns only tell the first one's.
        var reader = new ShardPlanReader(comparesTexts: !LooseTexts.InSetOperations(root));
        reader.PlaceRoot(root);
        return new ShardPlan([.. reader._tables], reader._opaque, reader._changedKey, reader._copiedTable);
    }

    private void PlaceRoot(Expression root)
    {
        switch (root)
        {
            case SelectExpression select:
                PlaceSelect(select, new KeyFacts(_comparesTexts));
                break;

            case UpdateExpression update:
                NoteTarget(update.Table, update, update.SelectExpression);
                PlaceSelect(update.SelectExpression, new KeyFacts(_comparesTexts));
                foreach (var setter in update.ColumnValueSetters)
                {
                    if (SelectFacts.PlaceOf(update.Table) is { } place && (place.Key.Any(c => c.Name == setter.Column.Name) || place.Ids.Any(c => c.Name == setter.Column.Name)))
                    {
                        _changedKey = $"'{setter.Column.Name}' of '{update.Table.Name}'";
                    }

                    PlaceWithin(setter.Value, SelectFacts.Of(update.SelectExpression, new KeyFacts(_comparesTexts)));
                }

                break;

            case DeleteExpression delete:
                NoteTarget(delete.Table, delete, delete.SelectExpression);
                PlaceSelect(delete.SelectExpression, new KeyFacts(_comparesTexts));
                break;

            case not null when ProviderComparisons.FindDelete(root) is var (table, fromItems, predicate):
                PlaceDelete(root, table, fromItems, predicate);
                break;

            default:
                _opaque ??= root?.GetType().Name;
                break;
        }
    }

    private void PlaceDelete(Expression root, TableExpression table, IReadOnlyList<TableExpressionBase> fromItems, SqlExpression? predicate)
    {
        NoteTarget(table, root, fromItems.Count == 0 ? null : root);
        var facts = new KeyFacts(_comparesTexts);
        facts.Add(predicate);
        SelectFacts.Add(table, facts);
        foreach (var item in fromItems)
        {
            SelectFacts.Add(item, facts);
        }

        PlaceTable(table, facts);
        foreach (var item in fromItems)
        {
            Place(item, facts);
        }

        PlaceWithin(predicate, facts);
    }

    private void PlaceSelect(SelectExpression select, KeyFacts around)
    {
        var facts = SelectFacts.Of(select, around);
        foreach (var table in select.Tables)
        {
            Place(table, facts);
        }

        PlaceWithin(select.Predicate, facts);
        PlaceWithin(select.Having, facts);
        PlaceWithin(select.Limit, facts);
        PlaceWithin(select.Offset, facts);
        foreach (var expression in select.Projection.Select(p => p.Expression).Concat(select.GroupBy).Concat(select.Orderings.Select(o => o.Expression)))
        {
            PlaceWithin(expression, facts);
        }
    }

    private void Place(TableExpressionBase table, KeyFacts facts)
    {
        switch (table)
        {
            case TableExpression plain:
                PlaceTable(plain, facts);
                break;

            case InnerJoinExpression join:
                Place(join.Table, facts);
                PlaceWithin(join.JoinPredicate, facts);
                break;

            case LeftJoinExpression join:
                // Rows of the inner side that the condition does not tie to a row that counts change nothing.
                var matched = facts.Copy();
                matched.Add(join.JoinPredicate);
                SelectFacts.Add(join.Table, matched);
                Place(join.Table, matched);
                PlaceWithin(join.JoinPredicate, matched);
                break;

            case RightJoinExpression join:
                // Rows of the inner side count whatever they match.
                Place(join.Table, facts);
                PlaceWithin(join.JoinPredicate, facts);
                break;

            case CrossJoinExpression or CrossApplyExpression or OuterApplyExpression:
                Place(((JoinExpressionBase)table).Table, facts);
                break;

            case SelectExpression derived:
                PlaceDerived(derived, facts, columns: null);
                break;

            case SetOperationBase operation:
                PlaceDerived(operation.Source1, facts, operation);
                PlaceDerived(operation.Source2, facts, operation);
                break;

            case TableValuedFunctionExpression function when function.IsBuiltIn:
                foreach (var argument in function.Arguments)
                {
                    PlaceWithin(argument, facts);
                }

                break;

            case ValuesExpression values:
                foreach (var value in (values.RowValues ?? []).SelectMany(r => r.Values))
                {
                    PlaceWithin(value, facts);
                }

                break;

            case IntermediateResult:
                break;

            default:
                _opaque ??= table switch
                {
                    FromSqlExpression => "SQL of the application",
                    TableValuedFunctionExpression function => $"the function '{function.Name}', which may read any table",
                    _ => table.GetType().Name,
                };
                break;
        }
    }

    // Whatever is certain about the columns that the outer query sees is certain about those inside where it could be checked there as well.
    private void PlaceDerived(SelectExpression derived, KeyFacts facts, SetOperationBase? columns)
    {
        PlaceSelect(derived, SelectFacts.Inside(derived, facts, columns));
    }

    private void PlaceTable(TableExpression table, KeyFacts facts)
    {
        var known = SelectFacts.PlaceOf(table);
        if (known is null)
        {
            _opaque ??= $"table '{table.Name}', which the model does not know";
            return;
        }

        if (known.Placement == TablePlacement.Reference)
        {
            return;
        }

        var key = facts.KeyOf(table.Alias, known);
        _tables.Add(new PlacedTable(table.Name, known, key, key.IsEmpty ? facts.BucketOf(table.Alias, known) : null));
    }

    // The selects inside an expression, for which holds what holds for the rows that it is computed for.
    private void PlaceWithin(Expression? expression, KeyFacts facts)
    {
        if (expression is not null)
        {
            new Subqueries(this, facts).Visit(expression);
        }
    }

    // What is written to the copies of a reference table must follow from its rows and the parameters alone, or they would differ.
    private void NoteTarget(TableExpression table, Expression root, Expression? reads)
    {
        if (SelectFacts.PlaceOf(table)?.Placement != TablePlacement.Reference)
        {
            return;
        }

        _copiedTable = table.Name;
        if (QueryFactsReader.Judge(root) is not null || reads is not (null or SelectExpression { Tables.Count: 1, Limit: null, Offset: null }) || Selects.Within(root))
        {
            _opaque ??= $"it writes the reference table '{table.Name}', of which every shard has a copy, by more than its own rows, parameters and functions without side effects";
        }
    }

    private sealed class Subqueries(ShardPlanReader reader, KeyFacts facts) : ExpressionVisitor
    {
        protected override Expression VisitExtension(Expression node)
        {
            if (node is SelectExpression select)
            {
                reader.PlaceSelect(select, facts);
                return node;
            }

            if (node is TableExpressionBase table)
            {
                reader.Place(table, facts);
                return node;
            }

            if (!RelationalNodes.Contains(node.GetType()) && !ProviderNodes.Contains(node.GetType()))
            {
                reader._opaque ??= node.GetType().Name;
            }

            return base.VisitExtension(node);
        }
    }

    // Finds selects below that of the statement itself.
    private sealed class Selects : ExpressionVisitor
    {
        private int _found;

        public static bool Within(Expression root)
        {
            var search = new Selects();
            search.Visit(root);
            return search._found > (root is UpdateExpression or DeleteExpression ? 1 : 0);
        }

        protected override Expression VisitExtension(Expression node)
        {
            _found += node is SelectExpression ? 1 : 0;
            return base.VisitExtension(node);
        }
    }
}
