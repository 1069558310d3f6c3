namespace EfScaling.Sample.Sharded;

/// <summary>A user likes a post, at most once. It lives with the post, and so names the post's author.</summary>
internal sealed class PostLike
{
    public int AuthorId { get; set; }

    public long PostId { get; set; }

    public int UserId { get; set; }
}
