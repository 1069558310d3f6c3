using Microsoft.Extensions.Logging;

namespace EfScaling.Diagnostics;

/// <summary>What the reader of committed changes logs. Takes names, positions and reasons, never connection strings or rows.</summary>
internal static partial class ChangeStreamLog
{
    [LoggerMessage(EfScalingEventId.ChangeStreamStarted, LogLevel.Information, "Changes '{Stream}' are read from slot '{Slot}' on '{Node}'.")]
    public static partial void ChangeStreamStarted(this ILogger logger, string stream, string slot, string node);

    [LoggerMessage(EfScalingEventId.ChangeStreamWaits, LogLevel.Information, "Another instance reads changes '{Stream}' from slot '{Slot}'; this one takes over when it ends.")]
    public static partial void ChangeStreamWaits(this ILogger logger, string stream, string slot);

    [LoggerMessage(EfScalingEventId.ChangeStreamBroke, LogLevel.Warning, "Reading changes '{Stream}' failed and is tried again in {DelaySeconds} s: {Error}")]
    public static partial void ChangeStreamBroke(this ILogger logger, string stream, double delaySeconds, string error);

    [LoggerMessage(EfScalingEventId.ChangeStreamGap, LogLevel.Warning, "Changes '{Stream}' before {Position} may have been missed ({Reason}): everything counts as changed.")]
    public static partial void ChangeStreamGap(this ILogger logger, string stream, string position, string reason);

    [LoggerMessage(EfScalingEventId.ChangeStreamRefused, LogLevel.Error, "Changes '{Stream}' cannot be read any more: {Reason}")]
    public static partial void ChangeStreamRefused(this ILogger logger, string stream, string reason);

    [LoggerMessage(
        EfScalingEventId.ChangeSlotRetainsTooMuch,
        LogLevel.Warning,
        "Slot '{Slot}' makes the server keep {RetainedBytes} bytes of its log, more than the limit of {LimitBytes}: the consumer of changes '{Stream}' is slow, or a "
        + "transaction has been open for long. Set max_slot_wal_keep_size so that the disk cannot fill up; a slot that exceeds it is replaced.")]
    public static partial void ChangeSlotRetainsTooMuch(this ILogger logger, string slot, long retainedBytes, long limitBytes, string stream);

    [LoggerMessage(EfScalingEventId.ChangePublicationCreated, LogLevel.Information, "Created publication '{Publication}' of all tables for changes '{Stream}'.")]
    public static partial void ChangePublicationCreated(this ILogger logger, string publication, string stream);
}
