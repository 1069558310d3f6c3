using EfScaling.Sample.Feed;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.Sample.Sharded;

/// <summary>What the application does over all shards: LINQ and SaveChanges as on one database.</summary>
/// <param name="context">A context that spans all shards.</param>
internal sealed class SocialNetwork(ShardedFeedContext context)
{
    /// <summary>How many of the most followed users statistics name.</summary>
    public const int MostFollowedUsers = 10;

    /// <summary>The newest 20 posts of everyone a user follows: whom, the user's shard knows; what they wrote, theirs.</summary>
    public IQueryable<NetworkPost> Feed(int userId) =>
        Newest(context.Posts.Where(p => context.Follows.Where(f => f.FollowerId == userId).Select(f => f.FollowedId).Contains(p.AuthorId)));

    /// <summary>The newest 20 posts with certain words.</summary>
    public IQueryable<NetworkPost> Search(string words) => Newest(context.Posts.Where(p => p.Text.Contains(words)));

    /// <summary>Those whom most follow; who follows a user is on the shards of the followers.</summary>
    public IQueryable<FollowedUser> MostFollowed() =>
        context.Follows
            .GroupBy(f => f.FollowedId)
            .OrderByDescending(g => g.Count()).ThenBy(g => g.Key)
            .Take(MostFollowedUsers)
            .Select(g => new FollowedUser(g.Key, g.Count()));

    /// <summary>Counts who follows a user.</summary>
    public Task<int> FollowersAsync(int userId, CancellationToken cancellationToken) => context.Follows.CountAsync(f => f.FollowedId == userId, cancellationToken);

    /// <summary>Counts everything, query by query: they are no snapshot.</summary>
    public async Task<Statistics> StatisticsAsync(CancellationToken cancellationToken) => new(
        await context.Users.CountAsync(cancellationToken),
        await context.Posts.CountAsync(cancellationToken),
        await context.Likes.CountAsync(cancellationToken),
        await MostFollowed().ToListAsync(cancellationToken));

    /// <summary>Counts the likes of each user where the liked posts are.</summary>
    public IQueryable<LikeCount> LikesOfPosts() => context.Likes.GroupBy(l => l.UserId).Select(g => new LikeCount(g.Key, g.Count()));

    /// <summary>Counts the likes of each user where the user is.</summary>
    public IQueryable<LikeCount> LikesOfUsers() => context.GivenLikes.GroupBy(l => l.UserId).Select(g => new LikeCount(g.Key, g.Count()));

    /// <summary>Likes a post: with the post, on its author's shard, and with the user, on the user's. Both or neither is written.</summary>
    /// <returns>Whether the user did not like it before.</returns>
    public async Task<bool> LikeAsync(int userId, int authorId, long postId, CancellationToken cancellationToken)
    {
        context.Add(new PostLike { AuthorId = authorId, PostId = postId, UserId = userId });
        context.Add(new GivenLike { UserId = userId, AuthorId = authorId, PostId = postId });
        try
        {
            await context.SaveChangesAsync(cancellationToken);
            return true;
        }
        catch (DbUpdateException exception) when (exception.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
        {
            return false;
        }
    }

    /// <summary>Returns whether a like is with the post, and whether it is with the user.</summary>
    public async Task<(bool WithPost, bool WithUser)> FindLikeAsync(int userId, int authorId, long postId, CancellationToken cancellationToken) => (
        await context.Likes.AnyAsync(l => l.AuthorId == authorId && l.PostId == postId && l.UserId == userId, cancellationToken),
        await context.GivenLikes.AnyAsync(l => l.UserId == userId && l.PostId == postId, cancellationToken));

    private IQueryable<NetworkPost> Newest(IQueryable<Post> posts) =>
        (from post in posts
         join author in context.Users on post.AuthorId equals author.Id
         orderby post.Id descending
         select new NetworkPost(post.Id, post.AuthorId, author.Name, post.Text)).Take(SocialFeed.PageSize);
}
