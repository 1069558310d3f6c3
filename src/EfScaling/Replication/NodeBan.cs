using EfScaling.Consistency;

namespace EfScaling.Replication;

/// <summary>How long a node is left alone after reads failed on it.</summary>
/// <param name="Failures">Failures in a row; zero when the node is in good standing.</param>
/// <param name="Until">The end of the ban; after it one read at a time may try the node.</param>
internal readonly record struct NodeBan(int Failures, Moment Until)
{
    private static readonly TimeSpan _first = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(30);

    /// <summary>No ban.</summary>
    public static readonly NodeBan None = new(0, Moment.Never);

    /// <summary>Gets whether the node has yet to prove itself.</summary>
    public bool IsActive => Failures > 0;

    /// <summary>Returns the ban after one more failure: half a second, doubling up to half a minute.</summary>
    public NodeBan After(Moment now, TimeProvider clock)
    {
        // Failures of reads that were under way together are one failure of the node.
        if (IsActive && now < Until)
        {
            return this;
        }

        var length = TimeSpan.FromTicks(Math.Min(_first.Ticks << Math.Min(Failures, 10), _longest.Ticks));
        return new NodeBan(Failures + 1, now.Plus(length, clock));
    }
}
