namespace EfScaling.Sample.Sharded;

/// <summary>What a user likes: the other half of a <see cref="PostLike"/>. It lives with the user.</summary>
internal sealed class GivenLike
{
    public int UserId { get; set; }

    public int AuthorId { get; set; }

    public long PostId { get; set; }
}
