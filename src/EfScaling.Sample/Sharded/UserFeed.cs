using EfScaling.Sample.Feed;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Sample.Sharded;

/// <summary>What the application does for one user: plain LINQ that names the user, which is all that the router needs.</summary>
/// <param name="context">A context that spans all shards, or one of the user's shard.</param>
/// <param name="ids">Makes the ids of posts.</param>
internal sealed class UserFeed(ShardedFeedContext context, ShardedIdGenerator ids)
{
    private static readonly TimeSpan PageTime = TimeSpan.FromMinutes(1);

    /// <summary>Returns what the user's shard knows of the user.</summary>
    public Task<UserPage> PageAsync(int userId, CancellationToken cancellationToken) =>
        context.Users
            .Where(u => u.Id == userId)
            .Select(u => new UserPage(u.Name, context.Follows.Count(f => f.FollowerId == u.Id), context.Posts.Count(p => p.AuthorId == u.Id)))
            .Cacheable(PageTime)
            .SingleAsync(cancellationToken);

    /// <summary>Returns the newest 20 posts of the user with the number of their likes.</summary>
    public Task<List<OwnPost>> PostsAsync(int userId, CancellationToken cancellationToken) =>
        context.Posts
            .Where(p => p.AuthorId == userId)
            .OrderByDescending(p => p.Id)
            .Take(SocialFeed.PageSize)
            .Select(p => new OwnPost(p.Id, p.Text, context.Likes.Count(l => l.AuthorId == userId && l.PostId == p.Id)))
            .Cacheable(PageTime)
            .ToListAsync(cancellationToken);

    /// <summary>Writes a post by SaveChanges. Its id carries the bucket of its author.</summary>
    public async Task<long> WritePostAsync(int userId, string text, CancellationToken cancellationToken)
    {
        var bucket = context.Database.GetShardMap().BucketOf(ShardKey.Of(userId))!.Value;
        var post = new Post { AuthorId = userId, Id = ids.Next(bucket), Text = text };
        context.Add(post);
        await context.SaveChangesAsync(cancellationToken);
        return post.Id;
    }
}
