namespace EfScaling.Sample.Sharded;

/// <summary>A user with the number of those who follow the user.</summary>
internal sealed record FollowedUser(int UserId, int Followers);
