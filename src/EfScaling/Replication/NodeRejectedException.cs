namespace EfScaling.Replication;

/// <summary>A connection turned out not to lead to the replica it was opened for. Never reaches a caller as long as another node can serve.</summary>
internal sealed class NodeRejectedException(string node, Freshness reason)
    : Exception($"A connection to node '{node}' was refused: the server behind it is not the replica it was ({reason}).")
{
    /// <summary>Gets what is wrong with the server.</summary>
    public Freshness Reason => reason;
}
