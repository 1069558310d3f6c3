namespace EfScaling.Routing.Shards;

/// <summary>Why a command was refused on a sharded database. The same value is the log field, the metric tag and what tests expect.</summary>
public enum CrossShardReason
{
    /// <summary>Nothing says which shard keys the rows have, so that they could be on any shard.</summary>
    NoShardKey,

    /// <summary>Part of the command does not show which rows it uses, as SQL of the application.</summary>
    NotUnderstood,

    /// <summary>The rows are certainly on more than one shard.</summary>
    SeveralShards,

    /// <summary>The rows are on another shard than the one that the context is bound to.</summary>
    OutsideBoundShard,

    /// <summary>The command would change the shard key of rows in place.</summary>
    ShardKeyChanged,

    /// <summary>A transaction that the context has not begun, and that can be on one shard alone, is open on another shard than the one that the command concerns.</summary>
    OpenTransaction,

    /// <summary>The rows are on another shard than the one that <c>OnShard</c> names.</summary>
    OutsideNamedShard,
}
