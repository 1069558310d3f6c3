using EfScaling.Routing.Fallback;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Makes the plans of a query when they are needed: most queries name their shard and never do. Thread-safe.</summary>
/// <param name="root">The final tree.</param>
/// <param name="generate">Makes the command of a tree; thread-safe.</param>
internal sealed class ScatterPlans(SelectExpression root, Func<SelectExpression, RoutedCommand> generate)
{
    private readonly Lazy<ScatterPlan> _byBytes = new(() => Make(root, byteOrder: true, generate));
    private readonly Lazy<ScatterPlan> _byServer = new(() => Make(root, byteOrder: false, generate));
    private readonly Lazy<RoutedCommand> _whole = new(() => generate(VersionedTable.PutInto(root)));
    private int _isTold;

    /// <summary>Gets the command of the whole query for the fallback coordinator.</summary>
    public RoutedCommand Whole => _whole.Value;

    /// <summary>Returns whether it is the first time that somebody is to be told that the query runs there.</summary>
    public bool IsFirstTold() => Interlocked.Exchange(ref _isTold, 1) == 0;

    /// <summary>Returns the plan.</summary>
    /// <param name="ordersByBytes">Whether the databases order texts without a collation of their own by bytes.</param>
    public ScatterPlan For(bool ordersByBytes) => (ordersByBytes ? _byBytes : _byServer).Value;

    private static ScatterPlan Make(SelectExpression root, bool byteOrder, Func<SelectExpression, RoutedCommand> generate) =>
        ScatterPlanner.Plan(root, byteOrder) switch
        {
            (null, var refusal) => new ScatterPlan([], null!, null, NeedsWholeBuckets: false, refusal),
            ({ } outline, _) => new ScatterPlan(
                [.. outline.Steps.Select(s => StepOf(s, generate))],
                StepOf(outline.Final, generate),
                outline.Merge,
                outline.NeedsWholeBuckets,
                null),
        };

    private static ScatterStep StepOf(SelectExpression select, Func<SelectExpression, RoutedCommand> generate) =>
        new(generate(select), select.Projection.Count, SqlShapes.FollowsOrigin(select));
}
