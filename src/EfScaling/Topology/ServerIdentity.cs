namespace EfScaling.Topology;

/// <summary>Which cluster a server belongs to and which of its histories it follows.</summary>
/// <param name="SystemId">The system identifier that initdb gave the cluster; all its members share it.</param>
/// <param name="Timeline">The timeline, which each promotion increases by one.</param>
/// <param name="Database">The object id of the database the connection leads to, the same on all members of the cluster.</param>
internal readonly record struct ServerIdentity(ulong SystemId, uint Timeline, uint Database = 0)
{
    /// <summary>Returns whether both lead to the same database of the same cluster, in whatever history.</summary>
    public bool IsSameDatabaseAs(ServerIdentity other) => SystemId == other.SystemId && Database == other.Database;

    /// <inheritdoc />
    public override string ToString() => FormattableString.Invariant($"system {SystemId}, timeline {Timeline}, database {Database}");
}
