namespace EfScaling.Replication;

/// <summary>The closed set of answers to "may this node serve this read". Ordered: a later one is nearer to serving.</summary>
internal enum Freshness
{
    /// <summary>The node has failed this very read already.</summary>
    AlreadyTried,

    /// <summary>The node belongs to another cluster, or the connection leads to another database of it.</summary>
    WrongCluster,

    /// <summary>The connection leads to another server than the probes: the address stands for several.</summary>
    AnotherServer,

    /// <summary>The node follows another history of the cluster.</summary>
    WrongTimeline,

    /// <summary>The node is writable, so it is no replica.</summary>
    NotAReplica,

    /// <summary>The last probe failed.</summary>
    Unreachable,

    /// <summary>Reads failed on the node and its ban has not run out, or another read is trying it.</summary>
    Banned,

    /// <summary>No probe has returned yet.</summary>
    NeverMeasured,

    /// <summary>The last measurement is too old to mean anything.</summary>
    MeasurementTooOld,

    /// <summary>The primary has not been measured, so nothing proves how old the node's data is.</summary>
    PrimaryUnknown,

    /// <summary>The node was too stale and has not been fresh for long enough since.</summary>
    Recovering,

    /// <summary>The node's data is older than the read allows.</summary>
    TooStale,

    /// <summary>The node may lack what this context has written or seen.</summary>
    BehindCaller,

    /// <summary>The node may serve the read.</summary>
    Fresh,
}
