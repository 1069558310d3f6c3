using EfScaling.Consistency;
using EfScaling.Routing.Shards;
using EfScaling.Sample.Graph;
using EfScaling.Sample.Load;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Sample.Sharded;

/// <summary>Acts for one user after another, each visit in a session of its own, as a web request does.</summary>
internal sealed class ShardedVisitor(
    ShardedDbContextFactory<ShardedFeedContext> contexts,
    IDbContextFactory<AccountsContext> accounts,
    FriendshipGraph graph,
    ShardedIdGenerator ids,
    ShardedChecker checker,
    ShardedTimes times,
    TimeProvider clock,
    int seed)
{
    private const int MostPopular = 20;
    private const int VisitsPerVisitOfAllShards = 4;

    private readonly Random _random = new(seed);
    private readonly string _allShards = string.Join(", ", contexts.Shards.Order(StringComparer.Ordinal));

    /// <summary>Visits until the time is over.</summary>
    /// <param name="end">Ends after the visit that is under way.</param>
    /// <param name="stop">Ends the visit, too.</param>
    public async Task VisitAsync(CancellationToken end, CancellationToken stop)
    {
        while (!end.IsCancellationRequested)
        {
            try
            {
                using var session = ConsistencySession.Begin();
                await (_random.Next(VisitsPerVisitOfAllShards) == 0 ? VisitNetworkAsync(session, stop) : VisitUserAsync(stop));
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                checker.Failed(exception.GetBaseException().Message);
            }
        }
    }

    // What one user's shard can answer. A context that spans all shards and one of the user's shard do the same.
    private async Task VisitUserAsync(CancellationToken stop)
    {
        var user = Someone();
        await using var context = _random.Next(2) == 0 ? contexts.CreateDbContext() : contexts.CreateDbContext(ShardKey.Of(user));
        await (_random.Next(20) switch
        {
            0 => PostAsync(context, user, stop),
            < 10 => ReadPageAsync(context, user, stop),
            _ => ReadPostsAsync(context, user, stop),
        });
    }

    // What needs several.
    private async Task VisitNetworkAsync(ConsistencySession session, CancellationToken stop)
    {
        await using var context = contexts.CreateDbContext();
        await (_random.Next(20) switch
        {
            < 2 => HandOverAsync(context, session, stop),
            < 6 => LikeAsync(context, stop),
            < 13 => ReadFeedAsync(context, Someone(), stop),
            < 17 => SearchAsync(context, stop),
            < 19 => CountFollowersAsync(context, stop),
            _ => ReadStatisticsAsync(context, stop),
        });
    }

    private async Task ReadPageAsync(ShardedFeedContext context, int user, CancellationToken stop)
    {
        var page = await TimeAsync(ShardedOperation.UserPage, () => new UserFeed(context, ids).PageAsync(user, stop));
        JudgeOfUser(context, user);
        if (page.Name != $"user {user}" || page.Following != graph.FriendsOf(user))
        {
            checker.Failed($"the page of user {user} shows '{page.Name}' following {page.Following}");
        }
    }

    private async Task<List<OwnPost>> ReadPostsAsync(ShardedFeedContext context, int user, CancellationToken stop)
    {
        var posts = await TimeAsync(ShardedOperation.OwnPosts, () => new UserFeed(context, ids).PostsAsync(user, stop));
        JudgeOfUser(context, user);
        if (posts.Count == 0 || posts.Any(p => !p.Text.EndsWith($" of user {user}", StringComparison.Ordinal)))
        {
            checker.Failed($"the posts of user {user} are none, or of somebody else");
        }

        return posts;
    }

    private async Task<long> PostAsync(ShardedFeedContext context, int user, CancellationToken stop)
    {
        var id = await TimeAsync(ShardedOperation.NewPost, () => new UserFeed(context, ids).WritePostAsync(user, TextBy(user), stop));
        checker.Posts.Acknowledge(id, user, clock.GetTimestamp());
        JudgeOfUser(context, user);

        checker.ReadBack("post", PostLog.Shows([.. (await ReadPostsAsync(context, user, stop)).Select(p => p.Id)], id));
        return id;
    }

    private async Task<List<NetworkPost>> ReadFeedAsync(ShardedFeedContext context, int user, CancellationToken stop)
    {
        var startedAt = clock.GetTimestamp();
        var posts = await TimeAsync(ShardedOperation.Feed, () => new SocialNetwork(context).Feed(user).ToListAsync(stop));
        JudgeOfAll(context);
        checker.FeedRead(startedAt, user, posts, context.Database.LastRouting());
        return posts;
    }

    private async Task SearchAsync(ShardedFeedContext context, CancellationToken stop)
    {
        var words = _random.Next(2) == 0 ? "visit" : $"user {Someone()}";
        var startedAt = clock.GetTimestamp();
        var posts = await TimeAsync(ShardedOperation.Search, () => new SocialNetwork(context).Search(words).ToListAsync(stop));
        JudgeOfAll(context);
        checker.SearchRead(startedAt, words, posts, TextBy, context.Database.LastRouting());
    }

    private async Task CountFollowersAsync(ShardedFeedContext context, CancellationToken stop)
    {
        var user = Someone();
        checker.FollowersRead(user, await TimeAsync(ShardedOperation.Followers, () => new SocialNetwork(context).FollowersAsync(user, stop)));
        JudgeOfAll(context);
    }

    private async Task ReadStatisticsAsync(ShardedFeedContext context, CancellationToken stop)
    {
        checker.StatisticsRead(await TimeAsync(ShardedOperation.Statistics, () => new SocialNetwork(context).StatisticsAsync(stop)));
        JudgeOfAll(context);
    }

    // Likes something in the feed. Whoever it is: the popular would soon like all that is there.
    private async Task LikeAsync(ShardedFeedContext context, CancellationToken stop)
    {
        var user = _random.Next(graph.People);
        var feed = await ReadFeedAsync(context, user, stop);
        var post = feed[_random.Next(feed.Count)];
        var isOnTwoShards = ShardOf(user) != ShardOf(post.AuthorId);
        var network = new SocialNetwork(context);
        var isNew = await TimeAsync(
            isOnTwoShards ? ShardedOperation.LikeOnTwoShards : ShardedOperation.LikeOnOneShard, () => network.LikeAsync(user, post.AuthorId, post.Id, stop));
        if (isNew)
        {
            checker.Liked(isOnTwoShards);
            var (withPost, withUser) = await network.FindLikeAsync(user, post.AuthorId, post.Id, stop);
            checker.ReadBack("like", withPost && withUser);
        }
    }

    // Writes to the feed and to the accounts, and looks at both from the session of somebody who follows the author, which knows nothing but the token.
    private async Task HandOverAsync(ShardedFeedContext context, ConsistencySession session, CancellationToken stop)
    {
        var (author, follower) = graph.Friendships[_random.Next(graph.Friendships.Count)];
        var signIn = new SignIn { Id = Guid.CreateVersion7(), UserId = author };
        await using (var people = await accounts.CreateDbContextAsync(stop))
        {
            people.Add(signIn);
            await people.SaveChangesAsync(stop);
        }

        var post = await PostAsync(context, author, stop);
        var token = await session.GetTokenAsync(stop);
        using (ConsistencySession.Begin(token))
        {
            await using var theirs = contexts.CreateDbContext();
            await using var people = await accounts.CreateDbContextAsync(stop);
            var seesPost = PostLog.Shows([.. (await ReadFeedAsync(theirs, follower, stop)).Select(p => p.Id)], post);
            var seesSignIn = await people.SignIns.AnyAsync(s => s.Id == signIn.Id, stop);
            checker.HandedOver(seesPost, seesSignIn);
        }
    }

    private async Task<T> TimeAsync<T>(ShardedOperation operation, Func<Task<T>> work)
    {
        var startedAt = clock.GetTimestamp();
        var result = await work();
        times.Add(operation, clock.GetElapsedTime(startedAt));
        return result;
    }

    // One visit in two is that of somebody popular.
    private int Someone() => _random.Next(2) == 0 ? graph.ByFriends[_random.Next(MostPopular)] : _random.Next(graph.People);

    private static string TextBy(int user) => $"visit of user {user}";

    private string ShardOf(int user) => contexts.ShardOf(ShardKey.Of(user));

    private void JudgeOfUser(ShardedFeedContext context, int user) => checker.Ran(context.Database.LastRouting(), ShardOf(user));

    private void JudgeOfAll(ShardedFeedContext context) => checker.Ran(context.Database.LastRouting(), _allShards);
}
