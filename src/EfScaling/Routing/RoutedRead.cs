using EfScaling.Consistency;
using EfScaling.Replication;

namespace EfScaling.Routing;

/// <summary>One read on its way through the nodes.</summary>
internal struct RoutedRead
{
    /// <summary>What the read asks of a node, and which nodes have failed it.</summary>
    public ReadRequest Request;

    /// <summary>When the read began.</summary>
    public Moment StartedAt;

    /// <summary>Seconds that all attempts together may take; zero for no limit, <see langword="null"/> for the data source's default.</summary>
    public int? CommandTimeout;

    /// <summary>The connection of the present attempt; <see langword="null"/> for the context's own.</summary>
    public NodeConnection? Connection;

    /// <summary>Set when the read must end on the primary, with the reason.</summary>
    public RoutingReason? Diverted;

    /// <summary>Whether the query certainly only reads; not if the application vouched for it.</summary>
    public bool OnlyReads;

    /// <summary>How many nodes have been asked.</summary>
    public int Attempts;

    /// <summary>What the last attempt failed with.</summary>
    public Exception? LastFailure;

    /// <summary>Whether the read belongs to one that is under way on <see cref="Connection"/>, so that no other node will do.</summary>
    public bool IsPinned;
}
