namespace EfScaling.Sample.Sharded;

/// <summary>What one shard holds and did.</summary>
internal sealed record ShardSummary(string Shard, long Users, long Follows, long Posts, long Likes, long GivenLikes, long Misplaced, long Reads, long ReplicaReads, long Writes)
{
    /// <summary>Gets all rows.</summary>
    public long Rows => Users + Follows + Posts + Likes + GivenLikes;
}
