using System.Collections.Immutable;
using System.Linq.Expressions;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Scatter;

/// <summary>Finds out how a query over several shards can give what it would give on one database with all rows.</summary>
/// <remarks>
/// <para>
/// Each select is classified from the inside out. One that every shard answers alike, because it only reads reference tables and intermediate results, runs anywhere. One
/// whose result is the union of what the shards give, because rows that are joined live together, is left to the shards. What is computed over rows of several shards
/// (a limit, groups or different values without the key, aggregates, windows) is split: the shards compute parts, which are collected and are a table of
/// the query behind them. PostgreSQL computes the rest from it: no function, type or collation is imitated here.
/// </para>
/// <para>A kind of node that is not known leads to a refusal. Used once for each command; not thread-safe.</para>
/// </remarks>
internal sealed class ScatterPlanner
{
    private readonly SqlTypes _types;
    private readonly ScatterSteps _steps;
    private readonly bool _comparesTexts;
    private bool _needsWholeBuckets;

    private ScatterPlanner(SelectExpression root)
    {
        _comparesTexts = !LooseTexts.InSetOperations(root);
        _types = new SqlTypes(root);
        _steps = new ScatterSteps(_types);
    }

    /// <summary>Plans a query.</summary>
    /// <param name="root">The final tree.</param>
    /// <param name="order">How rows are put in order.</param>
    /// <returns>The outline, or why there is none.</returns>
    public static (ScatterOutline? Outline, ScatterRefusal? Refusal) Plan(SelectExpression root, ScatterOrder order)
    {
        var planner = new ScatterPlanner(root);
        try
        {
            return (planner.PlanRoot(root, order), null);
        }
        catch (ScatterRefusedException refused)
        {
            return (null, refused.Refusal);
        }
    }

    /// <summary>Returns why a set-based write would not write on each shard what it would write on one database with all rows; <see langword="null"/> if it would.</summary>
    /// <param name="select">The rows that it writes.</param>
    /// <param name="values">What it computes for them.</param>
    public static ScatterRefusal? Judge(SelectExpression select, IEnumerable<SqlExpression> values)
    {
        var planner = new ScatterPlanner(select);
        try
        {
            var body = planner.PlanBody(select, new KeyFacts(planner._comparesTexts), []);
            foreach (var value in values)
            {
                planner.PlanSubqueries(value, body.Facts, body.Rows.Anchors, body.Rows.Anchors, body.Pins);
            }

            return planner._steps.Count == 0 && !planner._needsWholeBuckets && body is { Head: Head.Local, Rows.Kind: RowsKind.Shards }
                ? null
                : new ScatterRefusedException(ScatterRule.WriteFromOtherRows, select).Refusal;
        }
        catch (ScatterRefusedException refused)
        {
            return refused.Refusal;
        }
    }

    private ScatterOutline PlanRoot(SelectExpression root, ScatterOrder order)
    {
        var body = PlanBody(root, new KeyFacts(_comparesTexts), []);
        if (body.Rows.Kind == RowsKind.Anywhere)
        {
            return Outline(body.Select, null);
        }

        if (body.Head is Head.Local or Head.Limit && order != ScatterOrder.Sequence && TryMerge(body, order) is var (select, merge))
        {
            return Outline(select, merge);
        }

        return Outline(body.Head == Head.Local ? _steps.Collect(body.Select) : Finish(body), null);
    }

    private ScatterOutline Outline(SelectExpression final, Merge? merge) =>
        new([.. _steps.All], final, merge, _needsWholeBuckets);

    // Rows in order are merged as they come, if their order is one that can be told here.
    private (SelectExpression Select, Merge Merge)? TryMerge(Body body, ScatterOrder order)
    {
        var select = body.Select;
        var (projections, keys, comparesDefaultTexts) = (select.Projection.ToList(), ImmutableArray.CreateBuilder<MergeKey>(), false);

        // The keys would be among the values that must differ.
        if ((select.IsDistinct && select.Orderings.Count > 0) || Page.Of(select) is not { } page)
        {
            return null;
        }

        foreach (var ordering in select.Orderings)
        {
            if (MergeOrder.TypeOf(_types.Of(ordering.Expression), out var isDefaultText) is not { } type || (isDefaultText && order != ScatterOrder.Bytes))
            {
                return null;
            }

            comparesDefaultTexts |= isDefaultText;
            keys.Add(new MergeKey(type, !ordering.IsAscending));
            projections.Add(new ProjectionExpression(new SqlUnaryExpression(ExpressionType.Convert, ordering.Expression, ordering.Expression.Type, type.Mapping), FormattableString.Invariant($"efscaling_k{keys.Count}")));
        }

        return (
            select.Update(select.Tables, select.Predicate, select.GroupBy, select.Having, projections, select.Orderings, null, ScatterSteps.FirstOf(select)),
            new Merge(select.Projection.Count, keys.ToImmutable(), page, comparesDefaultTexts, SequenceOf(body)));
    }

    // By all columns of the key: rows that are alike in the first may live on different shards.
    private ShardSequence? SequenceOf(Body body)
    {
        var orderings = body.Select.Orderings;
        if (body.Head != Head.Limit || body.Select is { Limit: null } or { IsDistinct: true } || Page.Of(body.Select) is not { } page)
        {
            return null;
        }

        foreach (var anchor in body.Rows.Anchors.Where(a => a is { Map: not null, IsOptional: false, Key.IsEmpty: false } && a.Key.Length <= orderings.Count))
        {
            var keys = orderings.Take(anchor.Key.Length).ToList();
            if (keys.Zip(anchor.Key).All(k => KeyFacts.ColumnOf(k.First.Expression) is { } column && body.Facts.AreEqual(column, k.Second))
                && keys.All(k => k.IsAscending == keys[0].IsAscending && MergeOrder.TypeOf(_types.Of(k.Expression), out var isDefaultText) is not null && !isDefaultText))
            {
                return new ShardSequence(anchor.Map!, !keys[0].IsAscending, page);
            }
        }

        return null;
    }

    private SelectExpression PlanSelect(SelectExpression select, KeyFacts around, ImmutableArray<Anchor> outer, bool keepsOrigin, out Rows rows, out bool hasOrigin)
    {
        hasOrigin = false;
        var body = PlanBody(select, around, outer);
        if (body.Head == Head.Local || body.Rows.Kind != RowsKind.Shards)
        {
            rows = body.Rows with { Anchors = body.Rows.Kind == RowsKind.Shards ? Shown(body) : body.Rows.Anchors };
            return body.Select;
        }

        if (keepsOrigin && body.Head == Head.Limit)
        {
            var shown = Shown(body);
            var (finished, result) = _steps.FinishRows(body.Select, SequenceOf(body));
            hasOrigin = true;
            rows = new Rows(RowsKind.Shards, shown);
            return finished.Update(
                finished.Tables, null, [], null, [.. finished.Projection, new ProjectionExpression(ShardOf(result), IntermediateResult.Shard)], finished.Orderings, finished.Offset, finished.Limit);
        }

        rows = Rows.Anywhere;
        return Finish(body);
    }

    private Body PlanBody(SelectExpression select, KeyFacts around, ImmutableArray<Anchor> outer)
    {
        // Rows behind a limit can be joined where they come from, or everywhere; what fits depends on what they are joined with. The condition on their origin would
        // drop what a right join behind them keeps.
        if (select.Tables.SkipWhile(t => !IsLimited(t)) is var limited && limited.Any() && !limited.Skip(1).Any(t => t is RightJoinExpression)
            && SqlShapes.CountPlaced(select) > select.Tables.Select(Unwrap).OfType<SelectExpression>().Where(d => d.Limit is not null || d.Offset is not null).Max(SqlShapes.CountPlaced))
        {
            var (steps, whole) = (_steps.Count, _needsWholeBuckets);
            try
            {
                var followed = PlanBody(select, around, outer, keepsOrigin: true);
                if (SqlShapes.CountPlaced(followed.Select) > 0)
                {
                    return followed;
                }

                // All that they are joined with is collected as well.
            }
            catch (ScatterRefusedException)
            {
                // They are not joined by the key.
            }

            _steps.ForgetBehind(steps);
            _needsWholeBuckets = whole;
        }

        return PlanBody(select, around, outer, keepsOrigin: false);
    }

    private Body PlanBody(SelectExpression select, KeyFacts around, ImmutableArray<Anchor> outer, bool keepsOrigin)
    {
        var facts = SelectFacts.Of(select, around);
        var rows = Rows.Anywhere;
        var tables = new List<TableExpressionBase>();
        var predicate = select.Predicate;
        foreach (var table in select.Tables)
        {
            var (planned, joined, joinFacts, origin) = PlanTable(table, facts, outer, rows.Anchors, keepsOrigin);
            if (origin is not null && table is LeftJoinExpression left)
            {
                planned = ((LeftJoinExpression)planned).Update(((LeftJoinExpression)planned).Table, ScatterSteps.And(left.JoinPredicate, origin));
            }
            else if (origin is not null)
            {
                predicate = ScatterSteps.And(predicate, origin);
            }

            rows = Join(rows, joined, table, joinFacts);
            tables.Add(planned);
        }

        // Subqueries may depend on rows of this select and of those around it.
        var pins = new List<Anchor>();
        var reach = outer.AddRange(rows.Anchors);
        for (var i = 0; i < tables.Count; i++)
        {
            if (tables[i] is PredicateJoinExpressionBase join)
            {
                tables[i] = join.Update(join.Table, PlanSubqueries(join.JoinPredicate, facts, reach, rows.Anchors, pins)!);
            }
        }

        predicate = PlanSubqueries(predicate, facts, reach, rows.Anchors, pins);
        var groupBy = select.GroupBy.Select(g => PlanSubqueries(g, facts, reach, rows.Anchors, pins)!).ToList();
        var having = PlanSubqueries(select.Having, facts, reach, rows.Anchors, pins);
        var projection = select.Projection.Select(p => p.Update(PlanSubqueries(p.Expression, facts, reach, rows.Anchors, pins)!)).ToList();
        var orderings = select.Orderings.Select(o => o.Update(PlanSubqueries(o.Expression, facts, reach, rows.Anchors, pins)!)).ToList();
        var rewritten = select.Update(tables, predicate, groupBy, having, projection, orderings, select.Offset, select.Limit);
        if (rows.Kind == RowsKind.Anywhere && pins.Count > 0)
        {
            rows = new Rows(RowsKind.Pinned, [.. pins]);
        }

        if (rows.Kind == RowsKind.Shards && SqlShapes.IsCorrelated(rewritten))
        {
            // Rows of any shard may count for a row around.
            return new Body(_steps.FinishFromAllRows(rewritten), Rows.Anywhere, facts, Head.Local, []);
        }

        var head = rows.Kind == RowsKind.Shards ? HeadOf(rewritten, rows, facts) : Head.Local;
        return new Body(head == Head.Limit ? TieBreaker.Add(rewritten, _types) : rewritten, rows, facts, head, pins);
    }

    // What of a select is computed over rows that may live on different shards.
    private Head HeadOf(SelectExpression select, Rows rows, KeyFacts facts)
    {
        // Of the default shard alone. Rows of a set operation whose arms have nothing in common have no anchors, and may live anywhere.
        if (!rows.Anchors.IsEmpty && rows.Anchors.All(a => a.Map is null))
        {
            return Head.Local;
        }

        SqlExpression[] computed = [.. select.Projection.Select(p => p.Expression), .. select.Orderings.Select(o => o.Expression)];
        if (select.GroupBy.Count > 0 ? !IsTold(rows, select.GroupBy, facts) : select.Having is not null || computed.Any(SqlShapes.HasAggregate))
        {
            return computed.Any(c => SqlShapes.WindowsOf(c).Count > 0) ? Head.Window : Head.Groups;
        }

        if (computed.SelectMany(SqlShapes.WindowsOf).Any(w => !IsTold(rows, w.Partitions, facts)))
        {
            return Head.Window;
        }

        if (select.IsDistinct && !IsTold(rows, select.Projection.Select(p => p.Expression), facts))
        {
            return Head.Distinct;
        }

        return select.Limit is not null || select.Offset is not null ? Head.Limit : Head.Local;
    }

    private bool IsTold(Rows rows, IEnumerable<SqlExpression> expressions, KeyFacts facts)
    {
        (string, string)[] columns = [.. expressions.Select(KeyFacts.ColumnOf).Where(c => c is not null).Select(c => c!.Value)];
        foreach (var anchor in rows.Anchors)
        {
            if (anchor.IsToldBy(columns, facts, out var byBucket))
            {
                _needsWholeBuckets |= byBucket;
                return true;
            }
        }

        return false;
    }

    private (TableExpressionBase Planned, Rows Rows, KeyFacts Facts, SqlExpression? Origin) PlanTable(
        TableExpressionBase table, KeyFacts facts, ImmutableArray<Anchor> outer, ImmutableArray<Anchor> siblings, bool keepsOrigin)
    {
        var (reach, matched) = (outer, facts);
        if (table is LeftJoinExpression or RightJoinExpression or OuterApplyExpression)
        {
            matched = facts.Copy();
            matched.Add((table as PredicateJoinExpressionBase)?.JoinPredicate);
            SelectFacts.Add(Unwrap(table), matched);

            // Rows of the inner side that the condition does not tie to a row that counts change nothing. Those of a right join are kept whatever they match.
            facts = table is RightJoinExpression ? facts : matched;
        }

        if (table is CrossApplyExpression or OuterApplyExpression)
        {
            reach = outer.AddRange(siblings);
        }

        SqlExpression? origin = null;
        var inner = Unwrap(table);
        TableExpressionBase planned;
        Rows rows;
        switch (inner)
        {
            case TableExpression plain:
                (planned, rows) = (plain, PlaceTable(plain, facts, reach));
                break;

            case SelectExpression { Alias: { } alias } derived:
                planned = PlanSelect(derived, SelectFacts.Inside(derived, facts, columns: null), reach, keepsOrigin, out rows, out var hasOrigin);
                origin = hasOrigin
                    ? new SqlBinaryExpression(
                        ExpressionType.Equal, new ColumnExpression(IntermediateResult.Shard, alias, typeof(int), IntTypeMapping.Default, nullable: true), ThisShard, typeof(bool), BoolTypeMapping.Default)
                    : null;
                break;

            case SetOperationBase operation:
                (planned, rows) = PlanOperation(operation, facts, reach);
                break;

            case ValuesExpression or TableValuedFunctionExpression { IsBuiltIn: true } when SqlShapes.CountPlaced(inner) == 0:
                (planned, rows) = (inner, Rows.Anywhere);
                break;

            default:
                throw Refused(ScatterRule.NotUnderstood, inner);
        }

        return (ReferenceEquals(planned, inner) ? table : table is JoinExpressionBase join ? Rewrap(join, planned) : planned, rows, matched, origin);
    }

    private Rows PlaceTable(TableExpression table, KeyFacts facts, ImmutableArray<Anchor> outer)
    {
        var known = SelectFacts.PlaceOf(table) ?? throw Refused(ScatterRule.NotUnderstood, table);
        if (known.Placement == TablePlacement.Reference)
        {
            return Rows.Anywhere;
        }

        var anchor = known.Placement == TablePlacement.DefaultShard
            ? new Anchor(null, [], [])
            : new Anchor(known.Map, [.. known.Key.Select(k => (table.Alias, k.Name))], [.. known.Ids.Select(i => (table.Alias, i.Name))]);
        return Find(outer, anchor, facts) is { } pin ? new Rows(RowsKind.Pinned, [pin]) : new Rows(RowsKind.Shards, [anchor]);
    }

    private Anchor? Find(IEnumerable<Anchor> anchors, Anchor anchor, KeyFacts facts)
    {
        Anchor? found = null;
        foreach (var other in anchors)
        {
            if (other.IsWith(anchor, facts, out var byBucket))
            {
                if (!byBucket)
                {
                    return other;
                }

                found ??= other;
            }
        }

        _needsWholeBuckets |= found is not null;
        return found;
    }

    private Rows Join(Rows rows, Rows joined, TableExpressionBase table, KeyFacts facts)
    {
        var isOuter = table is LeftJoinExpression or OuterApplyExpression;
        if (joined.Kind == RowsKind.Anywhere)
        {
            return table is RightJoinExpression && rows.Kind == RowsKind.Shards ? throw Refused(ScatterRule.OuterJoinFromCopies, table) : rows;
        }

        if (rows.Kind == RowsKind.Anywhere)
        {
            return isOuter && joined.Kind == RowsKind.Shards ? throw Refused(ScatterRule.OuterJoinFromCopies, table) : joined;
        }

        if (rows.Kind == RowsKind.Pinned && joined.Kind == RowsKind.Pinned)
        {
            return rows with { Anchors = [.. rows.Anchors, .. joined.Anchors] };
        }

        // Rows of either side that are joined already live together.
        if (!joined.Anchors.Any(a => Find(rows.Anchors, a, facts) is not null))
        {
            throw Refused(rows.Anchors.Concat(joined.Anchors).Any(a => a.Map is null) ? ScatterRule.JoinWithDefaultShard : ScatterRule.JoinWithoutKey, table);
        }

        var kept = table is RightJoinExpression ? rows.Anchors.Select(a => a with { IsOptional = true }) : rows.Anchors;
        var added = joined.Kind == RowsKind.Pinned ? [] : isOuter ? joined.Anchors.Select(a => a with { IsOptional = true }) : joined.Anchors;
        return new Rows(RowsKind.Shards, [.. kept, .. added]);
    }

    private (TableExpressionBase Planned, Rows Rows) PlanOperation(SetOperationBase operation, KeyFacts facts, ImmutableArray<Anchor> outer)
    {
        var first = PlanSelect(operation.Source1, SelectFacts.Inside(operation.Source1, facts, operation), outer, keepsOrigin: false, out var firstRows, out _);
        var second = PlanSelect(operation.Source2, SelectFacts.Inside(operation.Source2, facts, operation), outer, keepsOrigin: false, out var secondRows, out _);
        if (firstRows.Kind == RowsKind.Shards && secondRows.Kind == RowsKind.Shards)
        {
            var shared = Shared(operation, first, firstRows, second, secondRows);
            if (shared.Length > 0 || (operation is UnionExpression { IsDistinct: false } && !firstRows.Anchors.Concat(secondRows.Anchors).Any(a => a.Map is null)))
            {
                return (operation.Update(first, second), new Rows(RowsKind.Shards, shared));
            }
        }

        // Equal rows of both may live on different shards, or every shard has those of one.
        ImmutableArray<Anchor> pins = [.. new[] { firstRows, secondRows }.Where(r => r.Kind == RowsKind.Pinned).SelectMany(r => r.Anchors)];
        return (
            operation.Update(firstRows.Kind == RowsKind.Shards ? _steps.Collect(first) : first, secondRows.Kind == RowsKind.Shards ? _steps.Collect(second) : second),
            pins.IsEmpty ? Rows.Anywhere : new Rows(RowsKind.Pinned, pins));
    }

    // Keys that both arms show in the same columns, by the names that the operation gives them.
    private static ImmutableArray<Anchor> Shared(SetOperationBase operation, SelectExpression first, Rows firstRows, SelectExpression second, Rows secondRows)
    {
        var shared = ImmutableArray.CreateBuilder<Anchor>();
        foreach (var one in firstRows.Anchors.Where(a => !a.IsOptional))
        {
            if (secondRows.Anchors.Any(a => a.Map is null) && one.Map is null)
            {
                return [one];
            }

            foreach (var other in secondRows.Anchors.Where(a => !a.IsOptional && a.Map is not null && a.Map == one.Map && a.Key.Length == one.Key.Length && !a.Key.IsEmpty))
            {
                if (one.Key.Zip(other.Key).All(k => PlaceIn(first, k.First.Column) is >= 0 and var place && place == PlaceIn(second, k.Second.Column)))
                {
                    shared.Add(one with { Key = [.. one.Key.Select(k => (operation.Alias!, k.Column))], Ids = [] });
                }
            }
        }

        return shared.ToImmutable();
    }

    private static int PlaceIn(SelectExpression select, string alias) => select.Projection.ToList().FindIndex(p => p.Alias == alias);

    private SqlExpression? PlanSubqueries(SqlExpression? expression, KeyFacts facts, ImmutableArray<Anchor> reach, ImmutableArray<Anchor> own, List<Anchor> pins) =>
        (SqlExpression?)new Subqueries(this, facts, reach, own, pins).Visit(expression);

    private SelectExpression PlanSubquery(SelectExpression subquery, SqlExpression? comparedWith, bool isExistence, KeyFacts facts, ImmutableArray<Anchor> reach, ImmutableArray<Anchor> own, List<Anchor> pins)
    {
        if (SqlShapes.CountPlaced(subquery) == 0)
        {
            return subquery;
        }

        var inside = facts.Copy();
        if (comparedWith is not null
            && subquery.Projection is [{ Expression: ColumnExpression { IsNullable: false } shown }]
            && comparedWith is ColumnExpression { IsNullable: false }
            && KeyFacts.ColumnOf(shown) is { } column
            && SelectFacts.IsTransparent(subquery, column))
        {
            // Of the rows inside only those with an equal value matter.
            inside.AddEquality(comparedWith, shown);
        }

        var planned = PlanSelect(subquery, inside, reach, keepsOrigin: false, out var rows, out _);
        switch (rows.Kind)
        {
            case RowsKind.Pinned:
                pins.AddRange(rows.Anchors.Where(a => !own.Contains(a)));
                return planned;

            case RowsKind.Anywhere:
                return planned;

            default:
                return _steps.Collect(
                    isExistence && planned is { Limit: null, Offset: null }
                        ? planned.Update(planned.Tables, planned.Predicate, planned.GroupBy, planned.Having, planned.Projection, planned.Orderings, null, new SqlFragmentExpression("1"))
                        : planned);
        }
    }

    // The anchors of a select, by the names of the columns that it shows.
    private static ImmutableArray<Anchor> Shown(Body body)
    {
        var alias = body.Select.Alias ?? string.Empty;
        return [.. body.Rows.Anchors.Select(a => a with { Key = AllOf(a.Key), Ids = [.. a.Ids.Select(ShownAs).Where(c => c is not null).Select(c => c!.Value)] })];

        ImmutableArray<(string, string)> AllOf(ImmutableArray<(string Table, string Column)> key)
        {
            var shown = key.Select(ShownAs).ToList();
            return shown.Any(c => c is null) ? [] : [.. shown.Select(c => c!.Value)];
        }

        (string, string)? ShownAs((string Table, string Column) column) =>
            body.Select.Projection.FirstOrDefault(p => KeyFacts.ColumnOf(p.Expression) is { } shown && body.Facts.AreEqual(shown, column)) is { } projection
                ? (alias, projection.Alias)
                : null;
    }

    private SelectExpression Finish(Body body) => body.Head switch
    {
        Head.Limit or Head.Distinct => _steps.FinishRows(body.Select, SequenceOf(body)).Select,
        Head.Groups => _steps.FinishGroups(body.Select) ?? _steps.FinishFromAllRows(body.Select),
        _ => _steps.FinishFromAllRows(body.Select),
    };

    private static ColumnExpression ShardOf(IntermediateResult result) => new(IntermediateResult.Shard, result.Alias!, typeof(int), IntTypeMapping.Default, nullable: false);

    private static SqlFragmentExpression ThisShard => new($"@{IntermediateResult.Shard}", typeof(int), IntTypeMapping.Default);

    private static bool IsLimited(TableExpressionBase table) => Unwrap(table) is SelectExpression { Limit: not null } or SelectExpression { Offset: not null };

    private static TableExpressionBase Unwrap(TableExpressionBase table) => table is JoinExpressionBase join ? join.Table : table;

    private static TableExpressionBase Rewrap(JoinExpressionBase join, TableExpressionBase table) => join switch
    {
        PredicateJoinExpressionBase predicate => predicate.Update(table, predicate.JoinPredicate),
        _ => join.Update(table),
    };

    private static ScatterRefusedException Refused(ScatterRule rule, Expression fragment) => new(rule, fragment);

    private enum Head
    {
        /// <summary>The union of what the shards give is the result.</summary>
        Local,
        Limit,
        Distinct,
        Groups,
        Window,
    }

    private enum RowsKind
    {
        /// <summary>Every shard gives the same rows.</summary>
        Anywhere,

        /// <summary>Each row lives on one shard, with those that it is joined with.</summary>
        Shards,

        /// <summary>The rows live with those of a select around it.</summary>
        Pinned,
    }

    private readonly record struct Rows(RowsKind Kind, ImmutableArray<Anchor> Anchors)
    {
        public static Rows Anywhere => new(RowsKind.Anywhere, []);
    }

    private sealed record Body(SelectExpression Select, Rows Rows, KeyFacts Facts, Head Head, List<Anchor> Pins);

    private sealed class Subqueries(ScatterPlanner planner, KeyFacts facts, ImmutableArray<Anchor> reach, ImmutableArray<Anchor> own, List<Anchor> pins) : ExpressionVisitor
    {
        protected override Expression VisitExtension(Expression node) => node switch
        {
            ScalarSubqueryExpression scalar => scalar.Update(Plan(scalar.Subquery)),
            ExistsExpression exists => exists.Update(Plan(exists.Subquery, isExistence: true)),
            InExpression { Subquery: { } subquery } among => among.Update((SqlExpression)Visit(among.Item), Plan(subquery, among.Item)),
            SelectExpression select => Plan(select),
            _ => base.VisitExtension(node),
        };

        private SelectExpression Plan(SelectExpression subquery, SqlExpression? comparedWith = null, bool isExistence = false) =>
            planner.PlanSubquery(subquery, comparedWith, isExistence, facts, reach, own, pins);
    }
}
