using Microsoft.Extensions.Logging;

namespace EfScaling.AspNetCore.ShardKeys;

/// <summary>What is logged of the shard keys of requests. Takes reasons and names of places, never values.</summary>
internal static partial class ShardKeyLog
{
    // Not a warning: any client can cause it as often as it likes.
    [LoggerMessage(EfScalingAspNetCoreEventId.RequestKeyRefused, LogLevel.Information, "A request was refused ({Reason}). {Explanation}")]
    public static partial void RequestKeyRefused(this ILogger logger, string reason, string explanation);
}
