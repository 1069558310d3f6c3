using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Makes the plans of a query when they are needed: most queries name their shard and never do. Thread-safe.</summary>
/// <param name="root">The final tree.</param>
/// <param name="generate">Makes the command of a tree; thread-safe.</param>
internal sealed class ScatterPlans(SelectExpression root, Func<SelectExpression, RoutedCommand> generate)
{
    private readonly Lazy<ScatterPlan> _byBytes = new(() => Make(root, byteOrder: true, generate));
    private readonly Lazy<ScatterPlan> _byServer = new(() => Make(root, byteOrder: false, generate));

    /// <summary>Returns the plan.</summary>
    /// <param name="ordersByBytes">Whether the databases order texts without a collation of their own by bytes.</param>
    public ScatterPlan For(bool ordersByBytes) => (ordersByBytes ? _byBytes : _byServer).Value;

    private static ScatterPlan Make(SelectExpression root, bool byteOrder, Func<SelectExpression, RoutedCommand> generate) =>
        ScatterPlanner.Plan(root, byteOrder) switch
        {
            (null, var refusal) => new ScatterPlan([], null!, null, NeedsWholeBuckets: false, refusal),
            ({ } outline, _) => new ScatterPlan(
                [.. outline.Steps.Select(s => new ScatterStep(generate(s), s.Projection.Count))],
                generate(outline.Final),
                outline.Merge is { } merge ? new Merge(merge.Columns, merge.Keys, TermOf(merge.Offset), TermOf(merge.Limit), merge.ComparesDefaultTexts) : null,
                outline.NeedsWholeBuckets,
                null),
        };

    private static KeyTerm? TermOf(SqlExpression? count) => count is null
        ? null
        : KeyTerm.Of(count) ?? throw new InvalidOperationException($"A query over several shards has a LIMIT or OFFSET that is neither a value nor a parameter: {count}. Compute it before the query.");
}
