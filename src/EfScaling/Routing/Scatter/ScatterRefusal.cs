namespace EfScaling.Routing.Scatter;

/// <summary>Why a query cannot be answered from several shards.</summary>
/// <param name="Rule">The rule that it breaks.</param>
/// <param name="Fragment">The part that breaks it.</param>
internal sealed record ScatterRefusal(ScatterRule Rule, string Fragment)
{
    /// <summary>Says what is wrong and what mends it.</summary>
    public string Explanation => Rule switch
    {
        ScatterRule.JoinWithoutKey =>
            "joins rows whose shard keys are not compared with each other, and matching rows may live on different shards. Compare the keys in the join, as a navigation between co-located entities does; or load one side first and use its values in Contains(...)",
        ScatterRule.JoinWithDefaultShard =>
            "joins rows of the default shard with rows that are spread over the shards. Load one side first and use its values in Contains(...), or mark the small table by IsReferenceTable()",
        ScatterRule.OuterJoinFromCopies =>
            "keeps rows of which every shard has a copy whether or not a sharded row matches, and no shard can tell that alone. Begin at the sharded entity, or load the copies and the sharded rows by two queries",
        ScatterRule.CorrelatedSubquery =>
            "depends on the rows around it and reads rows that may live on other shards. Compare its shard key with that of the outer rows, or load its rows by a query of their own",
        ScatterRule.UnknownType =>
            "is an intermediate result whose type in the database is not known. Select mapped columns instead",
        ScatterRule.SplitBuckets =>
            "is told by ids alone, which tell buckets, and keys of a bucket are pinned to different shards. Compare the shard keys themselves",
        ScatterRule.WriteFromOtherRows =>
            "chooses the rows to write, or computes their values, by rows that may live on other shards. Load what it depends on first and use the values in Contains(...) or in the setters",
        _ => "does not show which rows it reads. Write it in LINQ, or run it on each shard by ForEachShardAsync(...)",
    };
}
