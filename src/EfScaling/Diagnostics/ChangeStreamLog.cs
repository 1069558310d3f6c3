using Microsoft.Extensions.Logging;

namespace EfScaling.Diagnostics;

/// <summary>What the reader of committed changes logs. Takes names, positions and reasons, never connection strings or rows.</summary>
internal static partial class ChangeStreamLog
{
    [LoggerMessage(EfScalingEventId.ChangeStreamStarted, LogLevel.Information, "Committed changes are read from slot '{Slot}' on '{Node}'.")]
    public static partial void ChangeStreamStarted(this ILogger logger, string slot, string node);

    [LoggerMessage(EfScalingEventId.ChangeStreamWaits, LogLevel.Information, "Another instance reads committed changes from slot '{Slot}'; this one takes over when it ends.")]
    public static partial void ChangeStreamWaits(this ILogger logger, string slot);

    [LoggerMessage(EfScalingEventId.ChangeStreamBroke, LogLevel.Warning, "Reading committed changes from slot '{Slot}' failed and is tried again in {DelaySeconds} s: {Error}")]
    public static partial void ChangeStreamBroke(this ILogger logger, string slot, double delaySeconds, string error);

    [LoggerMessage(EfScalingEventId.ChangeStreamGap, LogLevel.Warning, "Changes before {Position} may have been missed by slot '{Slot}' ({Reason}): everything counts as changed.")]
    public static partial void ChangeStreamGap(this ILogger logger, string slot, string position, string reason);

    [LoggerMessage(EfScalingEventId.ChangeStreamRefused, LogLevel.Error, "Committed changes are not read from slot '{Slot}', which is tried again in {DelaySeconds} s: {Reason}")]
    public static partial void ChangeStreamRefused(this ILogger logger, string slot, double delaySeconds, string reason);

    [LoggerMessage(
        EfScalingEventId.ChangeSlotRetainsTooMuch,
        LogLevel.Warning,
        "Slot '{Slot}' makes the server keep {RetainedBytes} bytes of its log, more than the limit of {LimitBytes}: whoever reads it is slow, or a "
        + "transaction has been open for long. Set max_slot_wal_keep_size so that the disk cannot fill up; a slot that exceeds it is replaced.")]
    public static partial void ChangeSlotRetainsTooMuch(this ILogger logger, string slot, long retainedBytes, long limitBytes);

    [LoggerMessage(EfScalingEventId.ChangePublicationCreated, LogLevel.Information, "Created publication '{Publication}' of all tables for slot '{Slot}'.")]
    public static partial void ChangePublicationCreated(this ILogger logger, string publication, string slot);
}
