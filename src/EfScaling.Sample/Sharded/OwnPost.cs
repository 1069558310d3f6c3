namespace EfScaling.Sample.Sharded;

/// <summary>A post of a user with the number of its likes.</summary>
internal sealed record OwnPost(long Id, string Text, int Likes);
