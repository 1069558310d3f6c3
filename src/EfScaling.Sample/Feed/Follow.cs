namespace EfScaling.Sample.Feed;

/// <summary>One user follows another. A friendship of the graph is two of these.</summary>
internal sealed class Follow
{
    public int FollowerId { get; set; }

    public int FollowedId { get; set; }
}
