using Microsoft.Extensions.Logging;

namespace EfScaling.Diagnostics;

/// <summary>What is logged of commands over shards. Takes names and reasons, never connection strings, SQL or values of keys.</summary>
internal static partial class ShardingLog
{
    [LoggerMessage(EfScalingEventId.CommandRoutedOnShard, LogLevel.Debug, "Routed to {Role} '{Node}' of shard '{Shard}': {Reason}; data at most {StalenessSeconds} s old.")]
    public static partial void CommandRoutedOnShard(this ILogger logger, string shard, string role, string node, string reason, double stalenessSeconds);

    [LoggerMessage(EfScalingEventId.CommandRefused, LogLevel.Debug, "A command was refused: {Reason}; it concerns {Shards}.")]
    public static partial void CommandRefused(this ILogger logger, string reason, string shards);

    [LoggerMessage(EfScalingEventId.ShardsAreSameDatabase, LogLevel.Error, "Shards '{Shard}' and '{Other}' are the same database; no more commands run on any shard. Correct AddShard.")]
    public static partial void ShardsAreSameDatabase(this ILogger logger, string shard, string other);
}
