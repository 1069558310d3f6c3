using EfScaling.Consistency;
using EfScaling.Routing.Shards;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Graph;
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
    int seed)
{
    private const int MostPopular = 20;

    private readonly Random _random = new(seed);

    /// <summary>Visits until the time is over.</summary>
    /// <param name="end">Ends after the visit that is under way.</param>
    /// <param name="stop">Ends the visit, too.</param>
    public async Task VisitAsync(CancellationToken end, CancellationToken stop)
    {
        while (!end.IsCancellationRequested)
        {
            try
            {
                await VisitAsync(stop);
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                checker.Failed(exception.GetBaseException().Message);
            }
        }
    }

    private async Task VisitAsync(CancellationToken stop)
    {
        // One visit in two is that of somebody popular. A context that spans all shards and one of the user's shard do the same.
        var user = _random.Next(2) == 0 ? graph.ByFriends[_random.Next(MostPopular)] : _random.Next(graph.People);
        var key = ShardKey.Of(user);
        using var session = ConsistencySession.Begin();
        await using var context = _random.Next(2) == 0 ? contexts.CreateDbContext() : contexts.CreateDbContext(key);
        var visit = new Visit(new UserFeed(context, ids), context, user, contexts.ShardOf(key));
        switch (_random.Next(20))
        {
            case 0:
                await HandOverAsync(visit, session, stop);
                break;
            case 1:
                await PostAsync(visit, stop);
                break;
            case 2:
                await LikeAsync(visit, stop);
                break;
            case < 12:
                await ReadPageAsync(visit, stop);
                break;
            default:
                await ReadPostsAsync(visit, stop);
                break;
        }
    }

    private async Task ReadPageAsync(Visit visit, CancellationToken stop)
    {
        var page = await visit.Feed.PageAsync(visit.User, stop);
        Judge(visit);
        if (page.Name != $"user {visit.User}" || page.Following != graph.FriendsOf(visit.User))
        {
            checker.Failed($"the page of user {visit.User} shows '{page.Name}' following {page.Following}");
        }
    }

    private async Task<List<OwnPost>> ReadPostsAsync(Visit visit, CancellationToken stop)
    {
        var posts = await visit.Feed.PostsAsync(visit.User, stop);
        Judge(visit);
        if (posts.Count == 0 || posts.Any(p => !p.Text.EndsWith($" of user {visit.User}", StringComparison.Ordinal)))
        {
            checker.Failed($"the posts of user {visit.User} are none, or of somebody else");
        }

        return posts;
    }

    private async Task<long> PostAsync(Visit visit, CancellationToken stop)
    {
        var id = await visit.Feed.WritePostAsync(visit.User, $"visit of user {visit.User}", stop);
        checker.Posted();
        Judge(visit);

        checker.ReadBack(Shows(await ReadPostsAsync(visit, stop), id));
        return id;
    }

    private async Task LikeAsync(Visit visit, CancellationToken stop)
    {
        var post = (await ReadPostsAsync(visit, stop))[0];
        var key = ShardKey.Of(visit.User);
        await using var context = contexts.CreateDbContext(key);
        await new UserFeed(context, ids).LikeAsync(_random.Next(graph.People), visit.User, post.Id, stop);
        checker.Ran(context.Database.LastRouting(), visit.Shard);
    }

    // Writes to both databases, and looks at both from the session of another request, which knows nothing but the token.
    private async Task HandOverAsync(Visit visit, ConsistencySession session, CancellationToken stop)
    {
        var signIn = new SignIn { Id = Guid.CreateVersion7(), UserId = visit.User };
        await using (var people = await accounts.CreateDbContextAsync(stop))
        {
            people.Add(signIn);
            await people.SaveChangesAsync(stop);
        }

        var post = await PostAsync(visit, stop);
        var token = await session.GetTokenAsync(stop);
        using (ConsistencySession.Begin(token))
        {
            await using var context = contexts.CreateDbContext();
            await using var people = await accounts.CreateDbContextAsync(stop);
            var seesPost = Shows(await new UserFeed(context, ids).PostsAsync(visit.User, stop), post);
            var seesSignIn = await people.SignIns.AnyAsync(s => s.Id == signIn.Id, stop);
            checker.HandedOver(seesPost, seesSignIn);
        }
    }

    // Unless so many were written since that it is not among the newest any more.
    private static bool Shows(List<OwnPost> posts, long id) => posts.Exists(p => p.Id == id) || (posts.Count == SocialFeed.PageSize && posts.TrueForAll(p => p.Id > id));

    private void Judge(Visit visit) => checker.Ran(visit.Context.Database.LastRouting(), visit.Shard);

    private sealed record Visit(UserFeed Feed, ShardedFeedContext Context, int User, string Shard);
}
