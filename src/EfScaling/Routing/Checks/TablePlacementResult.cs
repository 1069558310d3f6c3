using EfScaling.Sharding;

namespace EfScaling.Routing.Checks;

/// <summary>What was found of one table on one shard.</summary>
/// <param name="Shard">The name of the shard.</param>
/// <param name="Table">The name of the table, with its schema if it has one.</param>
/// <param name="Placement">Where its rows are to live.</param>
/// <param name="Rows">How many rows were looked at.</param>
/// <param name="Misplaced">How many of them belong to another shard.</param>
/// <param name="Examples">Some of these, for a sharded table.</param>
/// <param name="Difference">In what the copy of a reference table differs from the first shard's; <see langword="null"/> if it does not.</param>
public sealed record TablePlacementResult(
    string Shard, string Table, TablePlacement Placement, long Rows, long Misplaced, IReadOnlyList<MisplacedRow> Examples, string? Difference = null)
{
    /// <summary>Gets whether every row is where it belongs, and a reference table the same as elsewhere.</summary>
    public bool IsRight => Misplaced == 0 && Difference is null;
}
