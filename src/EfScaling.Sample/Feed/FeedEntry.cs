namespace EfScaling.Sample.Feed;

/// <summary>One line of a feed.</summary>
internal sealed record FeedEntry(long PostId, string Author, string Text);
