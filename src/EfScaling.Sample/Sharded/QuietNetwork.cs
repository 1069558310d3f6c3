namespace EfScaling.Sample.Sharded;

/// <summary>What all shards hold while nobody writes.</summary>
/// <param name="Statistics">The numbers of the whole.</param>
/// <param name="LikesOfPosts">How many likes of each user are with the posts that the user likes.</param>
/// <param name="LikesOfUsers">How many likes of each user are with the user.</param>
internal sealed record QuietNetwork(Statistics Statistics, IReadOnlyList<LikeCount> LikesOfPosts, IReadOnlyList<LikeCount> LikesOfUsers)
{
    /// <summary>Gets how many users have other likes with the posts than with themselves.</summary>
    public int UsersWithHalfLikes => LikesOfPosts.Except(LikesOfUsers).Concat(LikesOfUsers.Except(LikesOfPosts)).Select(l => l.UserId).Distinct().Count();
}
