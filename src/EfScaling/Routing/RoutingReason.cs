namespace EfScaling.Routing;

/// <summary>Why a command ran where it ran. The same value is the log field, the metric tag and what tests expect.</summary>
public enum RoutingReason
{
    /// <summary>A replica that is proven fresh enough was picked.</summary>
    FreshReplica,

    /// <summary>The replica of the context's previous read is still fresh enough, and staying on it keeps time from running backwards.</summary>
    SameReplica,

    /// <summary>A replica that no measurement proved to be fresh enough proved it itself, in the same round trip as the query.</summary>
    GuardedReplica,

    /// <summary>The command belongs to a read that is under way on this node, as the further queries of a split query do.</summary>
    PartOfRead,

    /// <summary>A snapshot is open on the node, and the query sees its moment.</summary>
    Snapshot,

    /// <summary><c>AsPrimary()</c> or <c>UsePrimary()</c> asked for the primary.</summary>
    PrimaryRequested,

    /// <summary>The command is not a LINQ query: it may write.</summary>
    NotAQuery,

    /// <summary>The query contains SQL of the application, which may write; <c>AsReplica()</c> says that it does not.</summary>
    RawSql,

    /// <summary>The query calls a function that is not known to only read.</summary>
    UnknownFunction,

    /// <summary>The query reads a table that replicas do not have: unlogged, a system catalog, or marked <c>IsPrimaryOnly()</c>.</summary>
    PrimaryOnlyTable,

    /// <summary>The query tracks an entity that no concurrency token protects from a change based on a stale read.</summary>
    TrackedWithoutToken,

    /// <summary>The query tracks entities, and <c>TrackedReads(Primary)</c> keeps such queries on the primary.</summary>
    TrackedRead,

    /// <summary>A transaction is open on the context's connection, or around it.</summary>
    InTransaction,

    /// <summary>The application opened the context's connection, or a reader is open on it.</summary>
    ConnectionOpen,

    /// <summary>The application gave the context another connection than the options name.</summary>
    ConnectionChanged,

    /// <summary>No replica is proven to show what this context has written or seen.</summary>
    ReadYourWrites,

    /// <summary>Every replica's data is older than the read allows, or not yet proven to be younger.</summary>
    ReplicasTooStale,

    /// <summary>The replicas have not been measured yet.</summary>
    ReplicasNotMeasured,

    /// <summary>No replica can be used: unreachable, banned, promoted, or of another cluster.</summary>
    ReplicasUnavailable,

    /// <summary>The query failed on a standby because it writes or takes locks.</summary>
    NeedsPrimary,

    /// <summary>The query failed on a replica that has not replayed the schema yet.</summary>
    ReplicaSchemaBehind,

    /// <summary>The consistency token of the session was changed, or is of another cluster or history.</summary>
    TokenNotUsable,

    /// <summary>The command reads the context's own connection because its query was not classified, as with queries compiled ahead of time.</summary>
    NotClassified,

    /// <summary>The query was answered by the query cache, without a database.</summary>
    Cached,

    /// <summary>The result is to be kept in the query cache, and no replica is proven to show all writes that were published before it was read.</summary>
    CacheFill,

    /// <summary>The context has no replicas.</summary>
    NoReplicas,

    /// <summary>The query failed on a replica that does not own its rows: it has not replayed the newest change of the shard map, or the map here is older.</summary>
    ReplicaNotOwner,

    /// <summary>The shards cannot answer the query together, and the fallback coordinator does, slowly.</summary>
    FallbackCoordinator,
}
