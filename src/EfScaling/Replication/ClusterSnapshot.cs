namespace EfScaling.Replication;

/// <summary>The picture of a cluster that decisions are made from. Immutable; the monitor publishes a new one whenever it learns something.</summary>
/// <param name="Nodes">Every node, by its ordinal.</param>
/// <param name="Primary">The writable node, or <see langword="null"/> while none is known.</param>
internal sealed record ClusterSnapshot(NodeState[] Nodes, NodeState? Primary);
