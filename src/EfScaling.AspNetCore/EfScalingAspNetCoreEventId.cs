namespace EfScaling.AspNetCore;

/// <summary>The ids of the events that EfScaling.AspNetCore logs, in blocks of a hundred for each capability. Ids are added, never renumbered.</summary>
public static class EfScalingAspNetCoreEventId
{
    private const int Sessions = 720_900;
    private const int ShardKeys = 721_000;

    /// <summary>A request brought a consistency token that cannot be used, so that its reads go to the primary.</summary>
    public const int TokenRefused = Sessions;

    /// <summary>The position of a request's writes could not be found out in time, so that its token asks for more than it needs.</summary>
    public const int TokenIncomplete = Sessions + 1;

    /// <summary>A request was refused, because it brings no shard key that can be used.</summary>
    public const int RequestKeyRefused = ShardKeys;
}
