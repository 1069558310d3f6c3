namespace EfScaling.Replication;

/// <summary>Whose fault a failed read on a replica was, and so what happens next.</summary>
internal enum ReadFailure
{
    /// <summary>The query's or the caller's: any node would fail, so the caller gets the error.</summary>
    Query,

    /// <summary>A conflict with recovery: another node may serve, and this one is as healthy as before.</summary>
    RecoveryConflict,

    /// <summary>The node did not answer in time. That may be the query's fault; a node that hangs altogether is found out by its probes.</summary>
    TimedOut,

    /// <summary>The server met an error inside that may be this query's doing or its own.</summary>
    Troubled,

    /// <summary>The server had ended the session because it was idle: that says nothing about the node.</summary>
    SessionEnded,

    /// <summary>The node has no connection to spare.</summary>
    Busy,

    /// <summary>The node has not replayed the table, column, function, type or grant yet: the primary has it.</summary>
    SchemaBehind,

    /// <summary>The node does not own the rows that the query reads: it has not replayed that it was given them, or it has given them away. The primary knows.</summary>
    NotOwner,

    /// <summary>The query writes, locks, or reads what standbys do not have; only the primary may run it.</summary>
    NeedsPrimary,

    /// <summary>The server is down, starting, unreachable, hanging, refusing the login, or not what it was taken for.</summary>
    Node,
}
