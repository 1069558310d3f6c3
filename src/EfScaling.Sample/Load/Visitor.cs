using EfScaling.Routing;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Graph;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Sample.Load;

/// <summary>One visitor at a time: reads and writes without pause, each time in a context of its own, as web requests do.</summary>
/// <remarks>
/// One visit in nine writes and reads back what it wrote; the others read once. So of ten commands nine read and one writes. Most visits are those of a few
/// regulars, and most writes are likes: that is what makes pages worth caching. Not thread-safe.
/// </remarks>
internal sealed class Visitor(
    IDbContextFactory<FeedContext> contexts,
    FriendshipGraph graph,
    int posts,
    FeedSetup setup,
    int seed,
    ConsistencyChecker checker,
    Measurements measurements,
    TimeProvider clock,
    CancellationToken stop)
{
    private const int VisitsPerWrite = 9;
    private const int WritesPerReturn = 10;
    private const int WritesPerPost = 25;
    private const int Regulars = 20;
    private const int PercentOfRegulars = 75;

    // Longer than two probes of the replicas: by then one can be proven to show the write, so the return is answered there.
    private static readonly TimeSpan ReturnsAfter = TimeSpan.FromMilliseconds(600);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromMilliseconds(100);

    private readonly Random _random = new(seed);
    private readonly Queue<ReturnVisit> _returns = new();
    private long _writes;

    /// <summary>Visits until told to end; then the visit under way is completed, unless <c>stop</c> ends it at once.</summary>
    public async Task VisitAsync(CancellationToken end)
    {
        try
        {
            while (!end.IsCancellationRequested)
            {
                await (_returns.TryPeek(out var due) && clock.GetElapsedTime(due.WrittenAt) >= ReturnsAfter
                    ? ReturnAsync(_returns.Dequeue())
                    : _random.Next(VisitsPerWrite) == 0
                        ? WriteAndReadBackAsync()
                        : ReadAsync());
            }
        }
        finally
        {
            foreach (var visit in _returns)
            {
                await visit.Context.DisposeAsync();
            }
        }
    }

    private async Task ReadAsync()
    {
        var user = Someone();
        var operation = _random.Next(100) switch
        {
            < 50 => Operation.Feed,
            < 75 => Operation.Profile,
            < 90 => Operation.Post,
            _ => Operation.Heartbeat,
        };

        await AttemptAsync(operation, context => operation switch
        {
            Operation.Feed => ReadFeedAsync(context, user),
            Operation.Profile => ReadProfileAsync(context, user),
            Operation.Post => ReadPostAsync(context),
            _ => ReadHeartbeatAsync(context),
        });
    }

    private async Task ReadFeedAsync(FeedContext context, int user)
    {
        var startedAt = clock.GetTimestamp();
        var entries = await MeasureAsync(Operation.Feed, context, feed => feed.NewestPostsAsync(user, stop));
        checker.FeedRead(startedAt, user, author => graph.AreFriends(user, author), entries, RoutingOf(context));
        var expected = Math.Min(SocialFeed.PageSize, graph.FriendsOf(user) * (posts / graph.People));
        Require(Operation.Feed, entries.Count >= expected && entries.Count <= SocialFeed.PageSize, "the feed does not agree with the graph");
    }

    private async Task<Profile> ReadProfileAsync(FeedContext context, int user)
    {
        var startedAt = clock.GetTimestamp();
        var profile = await MeasureAsync(Operation.Profile, context, feed => feed.ProfileAsync(user, stop));
        checker.ProfileRead(startedAt, user, posts / graph.People, profile, RoutingOf(context));
        var friends = graph.FriendsOf(user);
        Require(Operation.Profile, profile.Followers == friends && profile.Following == friends, "the profile does not agree with the graph");
        return profile;
    }

    private async Task ReadPostAsync(FeedContext context)
    {
        var post = _random.NextInt64(1, posts + 1);
        var page = await MeasureAsync(Operation.Post, context, feed => feed.PostAsync(post, stop));
        Require(Operation.Post, page is not null, "the post is missing");
    }

    private async Task ReadHeartbeatAsync(FeedContext context)
    {
        var startedAt = clock.GetTimestamp();
        var pulse = await MeasureAsync(Operation.Heartbeat, context, feed => feed.PulseAsync(stop));
        if (RoutingOf(context) is { } decision)
        {
            var age = checker.HeartbeatRead(startedAt, pulse, decision);
            if (pulse.IsStandby)
            {
                measurements.ObservedAge.Add(age);
            }
        }
    }

    private async Task WriteAndReadBackAsync()
    {
        var user = Someone();
        var writes = _writes++;
        if (_random.Next(WritesPerPost) == 0)
        {
            var text = $"visit {writes} of user {user}";
            await AttemptAsync(Operation.NewPost, async context =>
            {
                var before = await ReadProfileAsync(context, user);
                var post = await MeasureAsync(Operation.NewPost, context, feed => feed.WritePostAsync(user, text, stop));
                checker.Posts.Acknowledge(post, user, clock.GetTimestamp());
                checker.Wrote(Operation.NewPost, RoutingOf(context));
                var after = await ReadProfileAsync(context, user);
                checker.ReadBack($"post {post}, to be counted in the profile of its author,", after.Posts > before.Posts, RoutingOf(context));
                return await ReadBackAndKeepAsync(context, $"post {post}", async feed => (await feed.PostAsync(post, stop))?.Text == text);
            });
        }
        else
        {
            var post = _random.NextInt64(1, posts + 1);
            await AttemptAsync(Operation.Like, async context =>
            {
                await MeasureAsync(Operation.Like, context, async feed =>
                {
                    await feed.LikeAsync(user, post, stop);
                    return true;
                });
                checker.Wrote(Operation.Like, RoutingOf(context));
                return await ReadBackAndKeepAsync(
                    context, $"the like of post {post} by user {user}", feed => feed.LikesAsync(user, post, stop));
            });
        }
    }

    /// <summary>Reads a write back, and keeps some contexts for a second look.</summary>
    /// <returns>Whether the context is kept.</returns>
    private async Task<bool> ReadBackAndKeepAsync(FeedContext context, string what, Func<SocialFeed, Task<bool>> isThere)
    {
        var visit = new ReturnVisit(context, what, isThere, clock.GetTimestamp());
        await ReadBackAsync(visit);
        if (_writes % WritesPerReturn != 0)
        {
            return false;
        }

        _returns.Enqueue(visit);
        return true;
    }

    private async Task ReturnAsync(ReturnVisit visit)
    {
        try
        {
            await ReadBackAsync(visit);
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            await FailAsync(Operation.ReadBack, exception);
        }
        finally
        {
            await visit.Context.DisposeAsync();
        }
    }

    private async Task ReadBackAsync(ReturnVisit visit)
    {
        var isThere = await MeasureAsync(Operation.ReadBack, visit.Context, visit.IsThere);
        checker.ReadBack(visit.What, isThere, RoutingOf(visit.Context));
    }

    private Task AttemptAsync(Operation operation, Func<FeedContext, Task> act) =>
        AttemptAsync(operation, async context =>
        {
            await act(context);
            return false;
        });

    private async Task AttemptAsync(Operation operation, Func<FeedContext, Task<bool>> actAndKeep)
    {
        var context = await contexts.CreateDbContextAsync(stop);
        var isKept = false;
        try
        {
            isKept = await actAndKeep(context);
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            await FailAsync(operation, exception);
        }
        finally
        {
            if (!isKept)
            {
                await context.DisposeAsync();
            }
        }
    }

    private Task FailAsync(Operation operation, Exception exception)
    {
        checker.Failed(operation, exception.GetBaseException().Message);
        return Task.Delay(PauseAfterFailure, clock, stop);
    }

    private async Task<T> MeasureAsync<T>(Operation operation, FeedContext context, Func<SocialFeed, Task<T>> act)
    {
        var startedAt = clock.GetTimestamp();
        var result = await act(new SocialFeed(context, setup == FeedSetup.ReplicasAndCache));
        measurements.Add(operation, clock.GetElapsedTime(startedAt), RoutingOf(context));
        return result;
    }

    private void Require(Operation operation, bool isRight, string otherwise)
    {
        if (!isRight)
        {
            checker.Failed(operation, otherwise);
        }
    }

    private int Someone() => _random.Next(100) < PercentOfRegulars ? graph.ByFriends[_random.Next(Regulars)] : _random.Next(graph.People);

    private RoutingDecision? RoutingOf(FeedContext context) => setup != FeedSetup.PrimaryAlone ? context.Database.LastRouting() : null;
}
