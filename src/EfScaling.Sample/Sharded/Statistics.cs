namespace EfScaling.Sample.Sharded;

/// <summary>Numbers of the whole network.</summary>
/// <param name="Users">All users.</param>
/// <param name="Posts">All posts.</param>
/// <param name="Likes">All likes.</param>
/// <param name="MostFollowed">Those whom most follow, ten at most; of equals the lower id first.</param>
internal sealed record Statistics(int Users, int Posts, int Likes, IReadOnlyList<FollowedUser> MostFollowed);
