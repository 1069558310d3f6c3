namespace EfScaling.Sharding;

/// <summary>How a transaction over several shards is committed.</summary>
public enum CommitProtocol
{
    /// <summary>In two phases: committed on every shard or on none, whatever fails. Servers need <c>max_prepared_transactions</c> above zero.</summary>
    TwoPhase,

    /// <summary>One shard after the other: a failure between the first commit and the last leaves the write on some shards only, which <c>PartialCommitException</c> then names.</summary>
    BestEffort,
}
