namespace EfScaling.Diagnostics;

/// <summary>The ids of the events that EfScaling logs, in blocks of a hundred for each capability. Ids are added, never renumbered.</summary>
public static class EfScalingEventId
{
    private const int Replication = 720_100;
    private const int Routing = 720_200;
    private const int Projections = 720_400;

    /// <summary>A node can serve reads (again).</summary>
    public const int NodeServes = Replication;

    /// <summary>A node cannot serve reads any more, with the reason.</summary>
    public const int NodeDoesNotServe = Replication + 1;

    /// <summary>A probe of a node failed for the first time since it last succeeded.</summary>
    public const int NodeUnreachable = Replication + 2;

    /// <summary>A node belongs to another cluster than the primary and is refused.</summary>
    public const int NodeOfAnotherCluster = Replication + 3;

    /// <summary>A node given as a replica accepts writes and is refused.</summary>
    public const int ReplicaIsWritable = Replication + 4;

    /// <summary>The node the context writes to is in recovery.</summary>
    public const int PrimaryIsReadOnly = Replication + 5;

    /// <summary>Reads failed on a node and it is left alone for a while.</summary>
    public const int NodeBanned = Replication + 6;

    /// <summary>A read succeeded on a node after its ban.</summary>
    public const int NodePardoned = Replication + 7;

    /// <summary>The monitor of a cluster started to probe.</summary>
    public const int MonitorStarted = Replication + 8;

    /// <summary>The monitor of a cluster paused, because nothing reads.</summary>
    public const int MonitorPaused = Replication + 9;

    /// <summary>The primary refused reads that no replica could serve, because the fallback budget was used up.</summary>
    public const int FallbackBudgetUsedUp = Replication + 10;

    /// <summary>The primary did not answer the question how far its log has grown.</summary>
    public const int PositionUnknown = Replication + 11;

    /// <summary>A connection pooler stands in front of a node.</summary>
    public const int NodeBehindPooler = Replication + 12;

    /// <summary>A command was routed.</summary>
    public const int CommandRouted = Routing;

    /// <summary>A read failed on a node before its first row and moved to another.</summary>
    public const int ReadMovedOn = Routing + 1;

    /// <summary>A read failed on a node after its first row.</summary>
    public const int ReadBroke = Routing + 2;

    /// <summary>A consistency token cannot be used for a cluster, so that reads of its session go to the primary.</summary>
    public const int TokenNotUsable = Routing + 3;

    /// <summary>A change could not be applied to a read model and is tried again.</summary>
    public const int ProjectionFailed = Projections;

    /// <summary>A key of a read model was given up after it failed too often; other keys go on.</summary>
    public const int ProjectionParked = Projections + 1;

    /// <summary>A read model cannot be kept current for a while, because the database or the store of the views fails.</summary>
    public const int ProjectionPaused = Projections + 2;
}
