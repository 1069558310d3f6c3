using Microsoft.Extensions.Logging;

namespace EfScaling.Diagnostics;

/// <summary>What the router logs. Takes names and reasons, never connection strings, SQL or parameter values.</summary>
internal static partial class RoutingLog
{
    [LoggerMessage(EfScalingEventId.CommandRouted, LogLevel.Debug, "Routed to {Role} '{Node}': {Reason}; data at most {StalenessSeconds} s old.")]
    public static partial void CommandRouted(this ILogger logger, string role, string node, string reason, double stalenessSeconds);

    [LoggerMessage(EfScalingEventId.ReadMovedOn, LogLevel.Warning, "A read failed on node '{Node}' before its first row ({Cause}) and moves on.")]
    public static partial void ReadMovedOn(this ILogger logger, Exception exception, string node, string cause);

    [LoggerMessage(EfScalingEventId.ReadBroke, LogLevel.Warning, "A read broke on node '{Node}' after its first row; it is not repeated.")]
    public static partial void ReadBroke(this ILogger logger, Exception exception, string node);

    [LoggerMessage(EfScalingEventId.TokenNotUsable, LogLevel.Information, "A consistency token was changed, or is of another cluster or history ({Token}); the reads of its session go to the primary.")]
    public static partial void TokenNotUsable(this ILogger logger, string token);
}
