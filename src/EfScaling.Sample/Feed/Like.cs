namespace EfScaling.Sample.Feed;

/// <summary>A user likes a post, at most once.</summary>
internal sealed class Like
{
    public long PostId { get; set; }

    public int UserId { get; set; }
}
