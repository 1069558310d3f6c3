using Microsoft.Extensions.Logging;

namespace EfScaling.AspNetCore.Sessions;

/// <summary>What consistency sessions log. Takes names and times, never tokens, which anybody could send.</summary>
internal static partial class SessionLog
{
    // Not a warning: any client can cause it as often as it likes.
    [LoggerMessage(
        EfScalingAspNetCoreEventId.TokenRefused,
        LogLevel.Information,
        "The {Carrier} of a request brought a consistency token that is unknown, was changed, or was signed with another key; the request reads the primary. If it happens often, compare the SigningKeys of all instances.")]
    public static partial void TokenRefused(this ILogger logger, string carrier);

    [LoggerMessage(
        EfScalingAspNetCoreEventId.TokenIncomplete,
        LogLevel.Warning,
        "The position of a request's writes was not found out within {Seconds} s; the next request of its user finds out.")]
    public static partial void TokenIncomplete(this ILogger logger, Exception exception, double seconds);
}
