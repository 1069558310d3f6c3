namespace EfScaling.Sample.Feed;

/// <summary>What a visitor sees of a user.</summary>
internal sealed record Profile(string Name, int Followers, int Following, int Posts);
