namespace EfScaling.Sample.Feed;

/// <summary>What a user wrote; a higher id is a newer post.</summary>
internal sealed class Post
{
    public long Id { get; set; }

    public int AuthorId { get; set; }

    public User? Author { get; set; }

    public required string Text { get; set; }

    public List<Like> Likes { get; set; } = [];
}
