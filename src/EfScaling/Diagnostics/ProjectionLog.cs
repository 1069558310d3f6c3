using Microsoft.Extensions.Logging;

namespace EfScaling.Diagnostics;

/// <summary>What the dispatchers of projections log. Takes names and numbers of rows, never keys.</summary>
internal static partial class ProjectionLog
{
    [LoggerMessage(
        EfScalingEventId.ProjectionFailed,
        LogLevel.Warning,
        "Projection '{Projection}' could not apply row {Row} of the outbox (attempt {Attempt}) and tries again in {DelaySeconds} s.")]
    public static partial void ProjectionFailed(this ILogger logger, Exception exception, string projection, long row, int attempt, double delaySeconds);

    [LoggerMessage(
        EfScalingEventId.ProjectionParked,
        LogLevel.Error,
        "Projection '{Projection}' could not apply row {Row} of the outbox in {Attempts} attempts and has parked its key; other keys go on. Mend the cause, then call RetryParkedAsync.")]
    public static partial void ProjectionParked(this ILogger logger, Exception exception, string projection, long row, int attempts);

    [LoggerMessage(EfScalingEventId.ProjectionPaused, LogLevel.Warning, "Projection '{Projection}' cannot be kept current now and tries again in {DelaySeconds} s; changes wait in the outbox.")]
    public static partial void ProjectionPaused(this ILogger logger, Exception exception, string projection, double delaySeconds);
}
