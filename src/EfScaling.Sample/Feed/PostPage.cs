namespace EfScaling.Sample.Feed;

/// <summary>A post with the number of its likes.</summary>
internal sealed record PostPage(string Author, string Text, int Likes);
