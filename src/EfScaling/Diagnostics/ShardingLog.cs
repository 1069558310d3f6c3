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

    [LoggerMessage(EfScalingEventId.ShardsPrepared, LogLevel.Debug, "Transaction {Transaction} is prepared on all but the shard that decides.")]
    public static partial void ShardsPrepared(this ILogger logger, Guid transaction);

    [LoggerMessage(EfScalingEventId.ShardsDecided, LogLevel.Debug, "Transaction {Transaction} is committed by the decision of shard '{Shard}'.")]
    public static partial void ShardsDecided(this ILogger logger, Guid transaction, string shard);

    [LoggerMessage(EfScalingEventId.CommitIsLate, LogLevel.Warning, "Transaction {Transaction} is committed, but {Shards} did not say so in time and may not show it yet; recovery completes it.")]
    public static partial void CommitIsLate(this ILogger logger, string shards, Guid transaction, Exception failure);

    [LoggerMessage(EfScalingEventId.PreparedSettled, LogLevel.Information, "Transaction {Transaction} was left prepared on shard '{Shard}' for {AgeSeconds:0.0} s, and is settled: {Outcome}.")]
    public static partial void PreparedSettled(this ILogger logger, Guid transaction, string shard, double ageSeconds, string outcome);

    [LoggerMessage(EfScalingEventId.PreparedTooLong, LogLevel.Error, "Transaction '{Name}' has been prepared on shard '{Shard}' for {AgeSeconds:0} s, where it holds locks and keeps old rows: {Reason}.")]
    public static partial void PreparedTooLong(this ILogger logger, string name, string shard, double ageSeconds, string reason);

    [LoggerMessage(EfScalingEventId.RecoveryFailed, LogLevel.Warning, "What interrupted transactions have left on shard '{Shard}' could not be seen to: {Reason}.")]
    public static partial void RecoveryFailed(this ILogger logger, string shard, string reason);

    [LoggerMessage(EfScalingEventId.QueryOnCoordinator, LogLevel.Warning, "A query runs on the fallback coordinator '{Node}', which is slow: the shards cannot answer it together, by the rule {Rule}. ToRoutingString() tells which part; docs/queries-across-shards.md what to write instead.")]
    public static partial void QueryOnCoordinator(this ILogger logger, string node, string rule);
}
