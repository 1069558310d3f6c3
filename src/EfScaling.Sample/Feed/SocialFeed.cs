using Microsoft.EntityFrameworkCore;

namespace EfScaling.Sample.Feed;

/// <summary>What the application does: plain LINQ, the same with and without replicas and cache.</summary>
/// <param name="context">The visit's context.</param>
/// <param name="isCached">Whether the context has a query cache, which is to know what the application's SQL writes.</param>
internal sealed class SocialFeed(FeedContext context, bool isCached)
{
    // A limit on memory alone: a write makes a page old at once.
    private static readonly TimeSpan PageTime = TimeSpan.FromMinutes(1);

    /// <summary>Posts that a feed shows at most.</summary>
    public const int PageSize = 20;

    /// <summary>Returns the newest 20 posts of everyone a user follows.</summary>
    public Task<List<FeedEntry>> NewestPostsAsync(int userId, CancellationToken cancellationToken) =>
        context.Follows
            .Where(f => f.FollowerId == userId)
            .Join(context.Posts, f => f.FollowedId, p => p.AuthorId, (f, p) => p)
            .OrderByDescending(p => p.Id)
            .Take(PageSize)
            .Select(p => new FeedEntry(p.Id, p.Author!.Name, p.Text))
            .Cacheable(PageTime)
            .ToListAsync(cancellationToken);

    /// <summary>Returns a user with the numbers that a profile shows.</summary>
    public Task<Profile> ProfileAsync(int userId, CancellationToken cancellationToken) =>
        context.Users
            .Where(u => u.Id == userId)
            .Select(u => new Profile(
                u.Name,
                context.Follows.Count(f => f.FollowedId == u.Id),
                context.Follows.Count(f => f.FollowerId == u.Id),
                context.Posts.Count(p => p.AuthorId == u.Id)))
            .Cacheable(PageTime)
            .SingleAsync(cancellationToken);

    /// <summary>Returns a post with the number of its likes; <see langword="null"/> if there is no such post.</summary>
    public Task<PostPage?> PostAsync(long postId, CancellationToken cancellationToken) =>
        context.Posts
            .Where(p => p.Id == postId)
            .Select(p => new PostPage(p.Author!.Name, p.Text, p.Likes.Count))
            .SingleOrDefaultAsync(cancellationToken);

    /// <summary>Returns whether a user likes a post.</summary>
    public Task<bool> LikesAsync(int userId, long postId, CancellationToken cancellationToken) =>
        context.Likes.AnyAsync(l => l.PostId == postId && l.UserId == userId, cancellationToken);

    /// <summary>Writes a post by SaveChanges.</summary>
    public async Task<long> WritePostAsync(int authorId, string text, CancellationToken cancellationToken)
    {
        var post = new Post { AuthorId = authorId, Text = text };
        context.Add(post);
        await context.SaveChangesAsync(cancellationToken);
        return post.Id;
    }

    /// <summary>Likes a post by SQL of the application, which does nothing when the user likes it already.</summary>
    public async Task LikeAsync(int userId, long postId, CancellationToken cancellationToken)
    {
        // Nobody knows which tables SQL writes: unless it says so, every cached page of the database is old.
        using var scope = isCached ? context.Database.UseWrittenTables<Like>() : null;
        await context.Database.ExecuteSqlAsync(
            $"""INSERT INTO efscaling_sample."Likes" ("PostId", "UserId") VALUES ({postId}, {userId}) ON CONFLICT DO NOTHING""", cancellationToken);
    }

    /// <summary>Writes the heartbeat by ExecuteUpdate.</summary>
    public Task BeatAsync(long writtenAt, CancellationToken cancellationToken) =>
        context.Heartbeats.ExecuteUpdateAsync(h => h.SetProperty(r => r.WrittenAt, writtenAt), cancellationToken);

    /// <summary>Reads the heartbeat, and asks the server that answers whether it is a standby.</summary>
    public Task<Pulse> PulseAsync(CancellationToken cancellationToken) =>
        context.Heartbeats.Select(h => new Pulse(h.WrittenAt, FeedContext.IsStandby())).SingleAsync(cancellationToken);
}
