using System.Collections.Frozen;
using EfScaling.Consistency;

namespace EfScaling.Replication.ChangeStream;

/// <summary>What one committed transaction changed, or that nobody knows what was changed up to a position.</summary>
/// <param name="Position">
/// End of the commit record: a node that has replayed this far shows the transaction. After a gap, the position from which on changes are known again.
/// </param>
/// <param name="Tables">The tables, at least one; empty after a gap.</param>
internal sealed record CommittedChanges(WalPosition Position, FrozenSet<ChangedTable> Tables)
{
    /// <summary>Gets whether changes before <see cref="Position"/> may have been missed, so that every table may have changed.</summary>
    public bool MayBeEverything => Tables.Count == 0;

    /// <summary>Describes a gap that ends at a position.</summary>
    public static CommittedChanges Everything(WalPosition position) => new(position, FrozenSet<ChangedTable>.Empty);

    /// <inheritdoc />
    public override string ToString() => $"{Position}: {(MayBeEverything ? "everything" : string.Join(", ", Tables))}";
}
