using Microsoft.Extensions.Logging;

namespace EfScaling.Diagnostics;

/// <summary>What the monitor of a cluster logs. Takes names and reasons, never connection strings.</summary>
internal static partial class ReplicationLog
{
    [LoggerMessage(EfScalingEventId.NodeServes, LogLevel.Information, "Node '{Node}' serves reads.")]
    public static partial void NodeServes(this ILogger logger, string node);

    [LoggerMessage(EfScalingEventId.NodeDoesNotServe, LogLevel.Warning, "Node '{Node}' no longer serves reads: {Reason}.")]
    public static partial void NodeDoesNotServe(this ILogger logger, string node, string reason);

    [LoggerMessage(EfScalingEventId.NodeUnreachable, LogLevel.Warning, "Node '{Node}' cannot be probed and serves no reads until it can: {Error}")]
    public static partial void NodeUnreachable(this ILogger logger, string node, string error);

    [LoggerMessage(
        EfScalingEventId.NodeOfAnotherCluster,
        LogLevel.Error,
        "Node '{Node}' belongs to another cluster ({Identity}) than the primary '{Primary}' ({PrimaryIdentity}) and is refused. Correct its AddReplica call.")]
    public static partial void NodeOfAnotherCluster(this ILogger logger, string node, string identity, string primary, string primaryIdentity);

    [LoggerMessage(
        EfScalingEventId.ReplicaIsWritable,
        LogLevel.Warning,
        "Node '{Node}' is given as a replica but accepts writes; it serves no reads. It was promoted, or its AddReplica call names the primary.")]
    public static partial void ReplicaIsWritable(this ILogger logger, string node);

    [LoggerMessage(EfScalingEventId.PrimaryIsReadOnly, LogLevel.Error, "Node '{Node}', which the context writes to, is a standby: writes fail until it is promoted or UseNpgsql names the primary.")]
    public static partial void PrimaryIsReadOnly(this ILogger logger, string node);

    [LoggerMessage(EfScalingEventId.NodeBanned, LogLevel.Warning, "Node '{Node}' is left alone after {Failures} failure(s) in a row: {Error}")]
    public static partial void NodeBanned(this ILogger logger, string node, int failures, string error);

    [LoggerMessage(EfScalingEventId.NodePardoned, LogLevel.Information, "Node '{Node}' served a read after its ban and takes its share again.")]
    public static partial void NodePardoned(this ILogger logger, string node);

    [LoggerMessage(EfScalingEventId.MonitorStarted, LogLevel.Debug, "The monitor probes {Nodes} every {IntervalSeconds} s.")]
    public static partial void MonitorStarted(this ILogger logger, string nodes, double intervalSeconds);

    [LoggerMessage(EfScalingEventId.MonitorPaused, LogLevel.Debug, "The monitor of {Nodes} pauses because nothing reads.")]
    public static partial void MonitorPaused(this ILogger logger, string nodes);

    [LoggerMessage(
        EfScalingEventId.FallbackBudgetUsedUp,
        LogLevel.Error,
        "Reads that no replica can serve exceed the fallback budget of {ReadsPerSecond} a second and fail. Mend the replicas, or raise FallbackBudget(...).")]
    public static partial void FallbackBudgetUsedUp(this ILogger logger, int readsPerSecond);

    [LoggerMessage(
        EfScalingEventId.NodeBehindPooler,
        LogLevel.Information,
        "Node '{Node}' refuses settings of a session, as connection poolers do; each read there is guarded instead.")]
    public static partial void NodeBehindPooler(this ILogger logger, string node);

    [LoggerMessage(EfScalingEventId.PositionUnknown, LogLevel.Warning, "The primary '{Node}' did not say how far its log has grown; later reads find out: {Error}")]
    public static partial void PositionUnknown(this ILogger logger, string node, string error);
}
