using EfScaling.Consistency;

namespace EfScaling.Replication;

/// <summary>What a read asks of the node that serves it.</summary>
/// <param name="MaxStaleness">How old the data may be.</param>
/// <param name="Floor">Everything committed before this moment must be visible: the caller's own writes and what it saw on the primary.</param>
/// <param name="LastNode">Ordinal of the replica that served the caller's previous read, or -1.</param>
/// <param name="LastRead">When that read ended; another node must show everything committed before, or time would run backwards.</param>
/// <param name="Tried">One bit for each node, by ordinal, that has failed this read.</param>
/// <param name="Position">Everything up to this position must be visible as well.</param>
internal readonly record struct ReadRequest(TimeSpan MaxStaleness, Moment Floor, int LastNode, Moment LastRead, ulong Tried, WalPosition Position = default)
{
    /// <summary>The largest number of nodes of a cluster, for which <see cref="Tried"/> has bits.</summary>
    public const int MaxNodes = 64;

    // Beyond it there is no limit in effect, and arithmetic with moments would overflow.
    private static readonly TimeSpan _unlimited = TimeSpan.FromDays(365);

    /// <summary>Returns the moment up to which the given node must show everything.</summary>
    public Moment FloorFor(int ordinal) => ordinal == LastNode ? Floor : Moment.Later(Floor, LastRead);

    /// <summary>Returns the moment that the data may not be older than.</summary>
    public Moment OldestAllowed(Moment now, TimeProvider clock) =>
        MaxStaleness >= _unlimited ? Moment.Never : now.Plus(-MaxStaleness, clock);

    /// <summary>Returns whether the given node has failed this read.</summary>
    public bool HasTried(int ordinal) => (Tried & (1UL << ordinal)) != 0;

    /// <summary>Returns the request after the given node has failed it.</summary>
    public ReadRequest AfterTrying(int ordinal) => this with { Tried = Tried | (1UL << ordinal) };
}
