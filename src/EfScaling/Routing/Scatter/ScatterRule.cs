namespace EfScaling.Routing.Scatter;

/// <summary>Why a query over several shards was refused. The same value is in the exception, the log and the table of docs/queries-across-shards.md.</summary>
public enum ScatterRule
{
    /// <summary>The query holds SQL of the application, a function that returns rows, or a kind of node that is not known.</summary>
    NotUnderstood,

    /// <summary>Rows are joined whose shard keys are not known to be equal, so that they may live on different shards.</summary>
    JoinWithoutKey,

    /// <summary>Rows of the default shard are joined with rows that are spread over the shards.</summary>
    JoinWithDefaultShard,

    /// <summary>Rows that every shard has are kept by an outer join although no row of the other side matches, which no shard can tell alone.</summary>
    OuterJoinFromCopies,

    /// <summary>A subquery depends on the rows around it, and reads rows that may live on other shards than those.</summary>
    CorrelatedSubquery,

    /// <summary>An intermediate result has a column of a type that is not known.</summary>
    UnknownType,

    /// <summary>Ids tell only buckets, and keys of one bucket are pinned to different shards.</summary>
    SplitBuckets,

    /// <summary>A set-based write chooses or computes by rows that may live on other shards than those that it writes.</summary>
    WriteFromOtherRows,
}
