using Microsoft.Extensions.Logging;

namespace EfScaling.Diagnostics;

/// <summary>What the cache logs. Takes names and reasons, never keys, values or passwords.</summary>
internal static partial class CachingLog
{
    [LoggerMessage(EfScalingEventId.StoreConnected, LogLevel.Information, "The cache store '{Store}' is connected to '{Server}'.")]
    public static partial void StoreConnected(this ILogger logger, string store, string server);

    [LoggerMessage(EfScalingEventId.StoreUnavailable, LogLevel.Warning, "The cache store '{Store}' is not used until it can be: {Reason}. Queries ask the database.")]
    public static partial void StoreUnavailable(this ILogger logger, string store, string reason);

    [LoggerMessage(EfScalingEventId.StoreRecovered, LogLevel.Information, "The cache store '{Store}' is in use again, connected to '{Server}', after {OutageSeconds} s.")]
    public static partial void StoreRecovered(this ILogger logger, string store, string server, double outageSeconds);

    [LoggerMessage(EfScalingEventId.StoreRefuses, LogLevel.Warning, "The cache store '{Store}' does not do what it is asked ({Operation}): {Reason}.")]
    public static partial void StoreRefuses(this ILogger logger, string store, string operation, string reason);
}
