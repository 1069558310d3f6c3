namespace EfScaling.Sample.Sharded;

/// <summary>How many posts a user likes.</summary>
internal sealed record LikeCount(int UserId, int Likes);
