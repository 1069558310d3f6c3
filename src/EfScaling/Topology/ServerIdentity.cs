namespace EfScaling.Topology;

/// <summary>Which cluster a server belongs to and which of its histories it follows.</summary>
/// <param name="SystemId">The system identifier that initdb gave the cluster; all its members share it.</param>
/// <param name="Timeline">The timeline, which each promotion increases by one.</param>
internal readonly record struct ServerIdentity(ulong SystemId, uint Timeline)
{
    /// <inheritdoc />
    public override string ToString() => FormattableString.Invariant($"system {SystemId}, timeline {Timeline}");
}
