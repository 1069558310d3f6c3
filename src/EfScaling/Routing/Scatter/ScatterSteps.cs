// A select with other parts than EF gave it is made by a constructor that is public but marked as internal; Update, which is not, cannot change whether rows must differ.
#pragma warning disable EF1001

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Scatter;

/// <summary>The steps of a query over several shards: splits selects into what each shard computes and what is computed from the collected results.</summary>
/// <param name="types">Tells the types of what is collected.</param>
/// <remarks>Used once for each command; not thread-safe.</remarks>
internal sealed class ScatterSteps(SqlTypes types)
{
    private static readonly StringTypeMapping _text = new("text", System.Data.DbType.String);

    private readonly List<OutlinedStep> _steps = [];

    /// <summary>Gets the queries that collect intermediate results.</summary>
    public IReadOnlyList<OutlinedStep> All => _steps;

    /// <summary>Gets how many steps there are.</summary>
    public int Count => _steps.Count;

    /// <summary>Forgets the steps behind the first ones.</summary>
    public void ForgetBehind(int count) => _steps.RemoveRange(count, _steps.Count - count);

    /// <summary>Returns how many rows of a shard can be among those that a select wants; <see langword="null"/> if all can.</summary>
    public static SqlExpression? FirstOf(SelectExpression select) => (select.Limit, select.Offset) switch
    {
        (null, _) => null,
        (var limit, null) => limit,
        var (limit, offset) => new SqlBinaryExpression(ExpressionType.Add, AsLong(limit), AsLong(offset), typeof(long), LongTypeMapping.Default),
    };

    /// <summary>Joins two conditions, each of which may be missing.</summary>
    [return: NotNullIfNotNull(nameof(other))]
    public static SqlExpression? And(SqlExpression? one, SqlExpression? other) =>
        one is null || other is null ? one ?? other : new SqlBinaryExpression(ExpressionType.AndAlso, one, other, typeof(bool), BoolTypeMapping.Default);

    /// <summary>Collects the rows of a select that the shards give as they are.</summary>
    /// <returns>What reads the collected rows.</returns>
    public SelectExpression Collect(SelectExpression select)
    {
        var hidden = select.IsDistinct
            ? []
            : select.Orderings.Where(o => !select.Projection.Any(p => SqlShapes.AreEqual(p.Expression, o.Expression))).Select(o => o.Expression).ToList();
        var columns = select.Projection.Select(p => p.Expression).Concat(hidden).ToList();
        var result = AddStep(select, columns, select.Orderings, select.Offset, select.Limit);
        var places = columns.Select((c, i) => (c, Column: ColumnOf(result, i, c))).ToList();
        return Select(
            select,
            result,
            [.. select.Projection.Select((p, i) => new ProjectionExpression(places[i].Column, p.Alias))],
            [.. select.Orderings.Select(o => o.Update(places.First(p => SqlShapes.AreEqual(p.c, o.Expression)).Column))],
            null,
            null);
    }

    /// <summary>Collects of each shard the first or different rows, of which those of all are taken.</summary>
    /// <returns>What takes them, and what they are taken from.</returns>
    /// <param name="select">The select.</param>
    /// <param name="sequence">The order of the rows, if it begins with their shard key.</param>
    public (SelectExpression Select, IntermediateResult Result) FinishRows(SelectExpression select, ShardSequence? sequence)
    {
        var hidden = select.Orderings.Where(o => !select.Projection.Any(p => SqlShapes.AreEqual(p.Expression, o.Expression))).Select(o => o.Expression).ToList();
        var columns = select.Projection.Select(p => p.Expression).Concat(hidden).ToList();
        var result = AddStep(select, columns, select.Orderings, null, FirstOf(select));
        _steps[^1] = _steps[^1] with { Sequence = sequence };
        var orderings = select.Orderings.Select(o => o.Update(ColumnOf(result, columns.FindIndex(c => SqlShapes.AreEqual(c, o.Expression)), o.Expression))).ToList();
        if (!select.IsDistinct)
        {
            orderings.Add(new OrderingExpression(new ColumnExpression(IntermediateResult.Row, result.Alias!, typeof(long), LongTypeMapping.Default, nullable: false), ascending: true));
        }

        return (
            Select(select, result, [.. select.Projection.Select((p, i) => new ProjectionExpression(ColumnOf(result, i, columns[i]), p.Alias))], orderings, select.Offset, select.Limit),
            result);
    }

    /// <summary>Collects of each shard its part of each group, from which the groups are made.</summary>
    /// <returns>What makes them; <see langword="null"/> if parts do not tell enough.</returns>
    public SelectExpression? FinishGroups(SelectExpression select)
    {
        var columns = new List<(SqlExpression Expression, string Type)>();
        var split = new GroupSplitter(IntermediateResult.AliasOf(_steps.Count), types, columns);

        // EF names a key twice that is the same in two columns, and it is collected once.
        var keys = select.GroupBy.Distinct().ToList();
        foreach (var key in keys)
        {
            if (types.Of(key) is not { } type)
            {
                return null;
            }

            split.AddKey(key, type);
        }

        var distinct = DistinctArguments.In(select);
        foreach (var argument in distinct)
        {
            if (types.Of(argument) is not { } type)
            {
                return null;
            }

            split.AddDistinct(argument, type);
        }

        var projection = select.Projection.Select(p => new ProjectionExpression(split.Visit(p.Expression)!, p.Alias)).ToList();
        var having = split.Visit(select.Having);
        var orderings = select.Orderings.Select(o => o.Update(split.Visit(o.Expression)!)).ToList();
        if (split.HasFailed)
        {
            return null;
        }

        var inner = new SelectExpression(
            "s",
            [.. select.Tables],
            select.Predicate,
            [.. keys, .. distinct],
            having: null,
            [.. columns.Select((c, i) => new ProjectionExpression(c.Expression, IntermediateResult.Column(i)))],
            distinct: false,
            [],
            offset: null,
            limit: null,
            sqlAliasManager: null!,
            tags: new HashSet<string>(),
            annotations: null);
        var result = AddStep(inner, [.. columns.Select(c => c.Type)]);
        return select.Update(
            [result],
            null,
            [.. keys.Select((k, i) => ColumnOf(result, i, k))],
            having,
            projection,
            orderings,
            select.Offset,
            select.Limit);
    }

    /// <summary>Collects all rows of all shards, from which whatever it is is computed.</summary>
    /// <remarks>Conditions on the rows alone are checked where they are; those that depend on a select around are checked when it has the collected rows.</remarks>
    public SelectExpression FinishFromAllRows(SelectExpression select)
    {
        var tables = SqlShapes.AliasesOf(select);
        if (select.Tables.FirstOrDefault(t => !SqlShapes.IsWithin(t, tables)) is { } dependent)
        {
            throw new ScatterRefusedException(ScatterRule.CorrelatedSubquery, dependent);
        }

        SqlExpression? among = null;
        SqlExpression? behind = null;
        foreach (var condition in ConditionsOf(select.Predicate))
        {
            ref var part = ref SqlShapes.IsWithin(condition, tables) ? ref among : ref behind;
            part = And(part, condition);
        }

        var leaves = new Leaves(_steps.Count, tables);
        var groupBy = leaves.VisitKeys(select.GroupBy);
        var predicate = leaves.Visit(behind);
        var projection = select.Projection.Select(p => p.Update(leaves.Visit(p.Expression)!)).ToList();
        var having = leaves.Visit(select.Having);
        var orderings = select.Orderings.Select(o => o.Update(leaves.Visit(o.Expression)!)).ToList();
        if (leaves.Columns.Count == 0)
        {
            leaves.Columns.Add(new SqlConstantExpression(1, IntTypeMapping.Default));
        }

        var inner = new SelectExpression(
            "s", [.. select.Tables], among, [], null, [.. leaves.Columns.Select((c, i) => new ProjectionExpression(c, IntermediateResult.Column(i)))], false, [], null, null, null!, new HashSet<string>(), null);
        var result = AddStep(inner, [.. leaves.Columns.Select(c => TypeOf(c))]);
        return select.Update([result], predicate, groupBy, having, projection, orderings, select.Offset, select.Limit);
    }

    private static IEnumerable<SqlExpression> ConditionsOf(SqlExpression? predicate) => predicate switch
    {
        null => [],
        SqlBinaryExpression { OperatorType: ExpressionType.AndAlso } both => ConditionsOf(both.Left).Concat(ConditionsOf(both.Right)),
        _ => [predicate],
    };

    private string TypeOf(SqlExpression expression) => types.Of(expression) ?? throw new ScatterRefusedException(ScatterRule.UnknownType, expression);

    private IntermediateResult AddStep(SelectExpression select, List<SqlExpression> columns, IReadOnlyList<OrderingExpression> orderings, SqlExpression? offset, SqlExpression? limit)
    {
        var inner = new SelectExpression(
            "s",
            [.. select.Tables],
            select.Predicate,
            [.. select.GroupBy],
            select.Having,
            [.. columns.Select((c, i) => new ProjectionExpression(c, IntermediateResult.Column(i)))],
            select.IsDistinct,
            limit is null && offset is null ? [] : [.. orderings],
            offset,
            limit,
            null!,
            new HashSet<string>(),
            null);
        return AddStep(inner, [.. columns.Select(TypeOf)]);
    }

    // As texts, outside of what is computed: DISTINCT, GROUP BY and ORDER BY are about the values. Where there is nothing of these nobody needs a select between them,
    // and one that only reads a set operation would be written as that, with the names of its columns.
    private IntermediateResult AddStep(SelectExpression inner, ImmutableArray<string> columns)
    {
        var number = _steps.Count;
        var isPlain = inner is { IsDistinct: false, GroupBy.Count: 0, Having: null, Orderings.Count: 0, Limit: null, Offset: null };
        SqlExpression ValueOf(int i) => isPlain
            ? inner.Projection[i].Expression
            : new ColumnExpression(IntermediateResult.Column(i), "s", inner.Projection[i].Type, inner.Projection[i].Expression.TypeMapping, nullable: true);
        _steps.Add(new OutlinedStep(new SelectExpression(
            alias: null,
            isPlain ? [.. inner.Tables] : [inner],
            And(isPlain ? inner.Predicate : null, TextSettings.ConditionFor(columns)),
            [],
            null,
            [.. columns.Select((_, i) => new ProjectionExpression(AsText(ValueOf(i)), IntermediateResult.Column(i)))],
            false,
            [],
            null,
            null,
            null!,
            new HashSet<string>(),
            null), Sequence: null));
        var result = new IntermediateResult(number, columns);
        for (var i = 0; i < columns.Length; i++)
        {
            types.Note(result.Alias!, IntermediateResult.Column(i), inner.Projection[i].Expression);
        }

        return result;
    }

    private static SelectExpression Select(
        SelectExpression like, IntermediateResult result, IReadOnlyList<ProjectionExpression> projection, IReadOnlyList<OrderingExpression> orderings, SqlExpression? offset, SqlExpression? limit) =>
        like.Update([result], null, [], null, projection, orderings, offset, limit);

    private static ColumnExpression ColumnOf(IntermediateResult result, int ordinal, SqlExpression like) =>
        new(IntermediateResult.Column(ordinal), result.Alias!, like.Type, like.TypeMapping, nullable: true);

    // The sum of two integers may be none.
    private static SqlUnaryExpression AsLong(SqlExpression expression) => new(ExpressionType.Convert, expression, typeof(long), LongTypeMapping.Default);

    private static SqlUnaryExpression AsText(SqlExpression expression) => new(ExpressionType.Convert, expression, typeof(string), _text);
}
