using Microsoft.Extensions.Logging;

namespace EfScaling.Diagnostics;

/// <summary>What is logged about the shard catalog. Takes versions and reasons, never keys or connection strings.</summary>
internal static partial class ShardCatalogLog
{
    [LoggerMessage(EfScalingEventId.ShardMapsLoaded, LogLevel.Information, "The shard maps of epoch {Epoch} are in use.")]
    public static partial void ShardMapsLoaded(this ILogger logger, long epoch);

    [LoggerMessage(EfScalingEventId.ShardMapsFromFile, LogLevel.Warning, "The shard catalog does not answer ({Error}); the shard maps of epoch {Epoch}, written to '{File}' {AgeSeconds} s ago, are in use.")]
    public static partial void ShardMapsFromFile(this ILogger logger, string error, long epoch, string file, double ageSeconds);

    [LoggerMessage(EfScalingEventId.ShardCatalogUnreachable, LogLevel.Warning, "The shard catalog does not answer ({Error}); the shard maps of epoch {Epoch} stay in use, and it is asked again.")]
    public static partial void ShardCatalogUnreachable(this ILogger logger, string error, long epoch);

    [LoggerMessage(EfScalingEventId.ShardMapsRefused, LogLevel.Error, "The shard maps of the catalog cannot be used, and those of epoch {Epoch} stay in use: {Reason}")]
    public static partial void ShardMapsRefused(this ILogger logger, long epoch, string reason);

    [LoggerMessage(EfScalingEventId.ShardMapsNotKept, LogLevel.Warning, "The shard maps could not be kept in '{File}' ({Error}).")]
    public static partial void ShardMapsNotKept(this ILogger logger, string file, string error);

    [LoggerMessage(EfScalingEventId.ShardMapWasStale, LogLevel.Information, "A command met a shard that does not own what it needs ({Difference}); the shard maps are loaded anew and it is repeated.")]
    public static partial void ShardMapWasStale(this ILogger logger, string difference);

    [LoggerMessage(EfScalingEventId.ShardMapChange, LogLevel.Information, "Change of the shard map '{Map}' to version {Version}, {Buckets} buckets: {Step}.")]
    public static partial void ShardMapChange(this ILogger logger, string map, long version, int buckets, string step);
}
