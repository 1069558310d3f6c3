using EfScaling.Routing.Fallback;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Makes the plans of a query when they are needed: most queries name their shard and never do. Thread-safe.</summary>
/// <param name="root">The final tree.</param>
/// <param name="generate">Makes the command of a tree; thread-safe.</param>
internal sealed class ScatterPlans(SelectExpression root, Func<SelectExpression, RoutedCommand> generate)
{
    private readonly Lazy<ScatterPlan> _byBytes = new(() => Make(root, ScatterOrder.Bytes, generate));
    private readonly Lazy<ScatterPlan> _byServer = new(() => Make(root, ScatterOrder.Server, generate));
    private readonly Lazy<ScatterPlan> _inSequence = new(() => Make(root, ScatterOrder.Sequence, generate));
    private readonly Lazy<RoutedCommand> _whole = new(() => generate(VersionedTable.PutInto(root)));
    private int _isTold;

    /// <summary>Gets the command of the whole query for the fallback coordinator.</summary>
    public RoutedCommand Whole => _whole.Value;

    /// <summary>Returns whether it is the first time that somebody is to be told that the query runs there.</summary>
    public bool IsFirstTold() => Interlocked.Exchange(ref _isTold, 1) == 0;

    /// <summary>Gets the plan where databases order texts without a collation of their own by bytes.</summary>
    public ScatterPlan ByBytes => _byBytes.Value;

    /// <summary>Gets the plan where databases order texts by a language.</summary>
    public ScatterPlan ByServer => _byServer.Value;

    /// <summary>Gets the plan that asks shards one after the other, in the order of their keys, for a page of rows in that order.</summary>
    public ScatterPlan InSequence => _inSequence.Value;

    private static ScatterPlan Make(SelectExpression root, ScatterOrder order, Func<SelectExpression, RoutedCommand> generate) =>
        ScatterPlanner.Plan(root, order) switch
        {
            (null, var refusal) => new ScatterPlan([], null!, null, NeedsWholeBuckets: false, refusal),
            ({ } outline, _) => new ScatterPlan(
                [.. outline.Steps.Select(s => StepOf(s.Select, s.Sequence, generate))],
                StepOf(outline.Final, null, generate),
                outline.Merge,
                outline.NeedsWholeBuckets,
                null),
        };

    private static ScatterStep StepOf(SelectExpression select, ShardSequence? sequence, Func<SelectExpression, RoutedCommand> generate) =>
        new(generate(select), select.Projection.Count, SqlShapes.FollowsOrigin(select), sequence);
}
