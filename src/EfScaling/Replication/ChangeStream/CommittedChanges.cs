using System.Collections.Frozen;

namespace EfScaling.Replication.ChangeStream;

/// <summary>What one committed transaction changed, or that nobody knows what was changed before.</summary>
/// <param name="Tables">The tables, at least one; empty after a gap.</param>
internal sealed record CommittedChanges(FrozenSet<ChangedTable> Tables)
{
    /// <summary>Gets the changes of a gap: every table may have changed.</summary>
    public static CommittedChanges Everything { get; } = new(FrozenSet<ChangedTable>.Empty);

    /// <summary>Gets whether changes may have been missed, so that every table may have changed.</summary>
    public bool MayBeEverything => Tables.Count == 0;

    /// <inheritdoc />
    public override string ToString() => MayBeEverything ? "everything" : string.Join(", ", Tables);
}
