using System.Collections.Concurrent;
using System.Globalization;
using EfScaling.Routing;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Graph;
using EfScaling.Sample.Load;
using EfScaling.Topology;

namespace EfScaling.Sample.Sharded;

/// <summary>Judges what visitors of the sharded feed see.</summary>
/// <param name="graph">Who follows whom.</param>
/// <param name="postsPerPerson">How many posts each user had before the load.</param>
/// <param name="clock">The clock of all times.</param>
/// <remarks>Thread-safe.</remarks>
internal sealed class ShardedChecker(FriendshipGraph graph, int postsPerPerson, TimeProvider clock)
{
    private const int MostProblems = 10;

    private readonly ConcurrentQueue<string> _problems = new();
    private readonly ConcurrentDictionary<string, long> _replicaReads = new();
    private readonly FollowedUser[] _mostFollowed = [.. graph.ByFriends.Take(SocialNetwork.MostFollowedUsers).Select(p => new FollowedUser(p, graph.FriendsOf(p)))];
    private long _commands;
    private long _elsewhere;
    private long _readBacks;
    private long _lost;
    private long _handovers;
    private long _lostHandovers;
    private long _feeds;
    private long _wrongFeeds;
    private long _searches;
    private long _wrongSearches;
    private long _statistics;
    private long _wrongStatistics;
    private long _likes;
    private long _likesOnTwoShards;
    private long _failures;

    /// <summary>Gets the posts that were acknowledged.</summary>
    public PostLog Posts { get; } = new(clock);

    public long Commands => Interlocked.Read(ref _commands);

    public long Elsewhere => Interlocked.Read(ref _elsewhere);

    public long ReadBacks => Interlocked.Read(ref _readBacks);

    public long Lost => Interlocked.Read(ref _lost);

    public long Handovers => Interlocked.Read(ref _handovers);

    public long LostHandovers => Interlocked.Read(ref _lostHandovers);

    public long Feeds => Interlocked.Read(ref _feeds);

    public long WrongFeeds => Interlocked.Read(ref _wrongFeeds);

    public long Searches => Interlocked.Read(ref _searches);

    public long WrongSearches => Interlocked.Read(ref _wrongSearches);

    public long StatisticsReads => Interlocked.Read(ref _statistics);

    public long WrongStatistics => Interlocked.Read(ref _wrongStatistics);

    /// <summary>Gets the likes that were acknowledged.</summary>
    public long Likes => Interlocked.Read(ref _likes);

    /// <summary>Gets those of them that were written on two shards.</summary>
    public long LikesOnTwoShards => Interlocked.Read(ref _likesOnTwoShards);

    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>Gets what the shards hold while nobody writes; <see langword="null"/> until that was read.</summary>
    public QuietNetwork? Quiet { get; private set; }

    public IReadOnlyCollection<string> Problems => [.. _problems];

    /// <summary>Returns the reads that a replica of a shard answered.</summary>
    public long ReplicaReadsOf(string shard) => _replicaReads.GetValueOrDefault(shard);

    /// <summary>Judges where a command ran.</summary>
    /// <param name="decision">Where it did.</param>
    /// <param name="shards">Where it should: the name of a shard, or of several as <see cref="RoutingDecision.Shard"/> writes them.</param>
    public void Ran(RoutingDecision? decision, string shards)
    {
        Interlocked.Increment(ref _commands);
        if (decision?.Shard != shards)
        {
            Count(ref _elsewhere, $"a command of shard '{shards}' ran on '{decision?.Shard}'");
        }
        else if (decision.Value.Role == NodeRole.Replica)
        {
            _replicaReads.AddOrUpdate(shards, 1, (_, count) => count + 1);
        }
    }

    /// <summary>Judges a read of what the same session has just written.</summary>
    public void ReadBack(string what, bool isFound)
    {
        Interlocked.Increment(ref _readBacks);
        if (!isFound)
        {
            Count(ref _lost, $"a session did not see its own {what}");
        }
    }

    /// <summary>Judges what a session sees of another one whose token it was given: a post in the feed of somebody else, and a sign-in in the accounts.</summary>
    public void HandedOver(bool seesPost, bool seesSignIn)
    {
        Interlocked.Increment(ref _handovers);
        if (!seesPost || !seesSignIn)
        {
            Count(ref _lostHandovers, $"a session with a token did not see {(seesPost ? "the sign-in" : "the post")}");
        }
    }

    /// <summary>Judges a feed: only posts of people whom its user follows, the newest first, and every one that was acknowledged before what the read may be old.</summary>
    public void FeedRead(long startedAt, int user, IReadOnlyList<NetworkPost> posts, RoutingDecision? decision)
    {
        Interlocked.Increment(ref _feeds);
        var fault = posts.Count < Math.Min(SocialFeed.PageSize, graph.FriendsOf(user) * postsPerPerson)
            ? Text($"has only {posts.Count} posts")
            : FaultOf(posts, p => graph.AreFriends(user, p.AuthorId) && p.Author == Text($"user {p.AuthorId}"), author => graph.AreFriends(user, author), startedAt, decision);
        if (fault is not null)
        {
            Count(ref _wrongFeeds, Text($"the feed of user {user} {fault}"));
        }
    }

    /// <summary>Judges a search: only posts with the words, the newest first, and every one that was acknowledged before what the read may be old.</summary>
    /// <param name="startedAt">When it began.</param>
    /// <param name="words">What was looked for.</param>
    /// <param name="posts">What was found.</param>
    /// <param name="textBy">The text that an author's posts of the load have.</param>
    /// <param name="decision">Where it ran, and how old its data may have been.</param>
    public void SearchRead(long startedAt, string words, IReadOnlyList<NetworkPost> posts, Func<int, string> textBy, RoutingDecision? decision)
    {
        Interlocked.Increment(ref _searches);
        if (FaultOf(posts, p => HasWords(p.Text), author => HasWords(textBy(author)), startedAt, decision) is { } fault)
        {
            Count(ref _wrongSearches, Text($"the search for '{words}' {fault}"));
        }

        bool HasWords(string text) => text.Contains(words, StringComparison.Ordinal);
    }

    /// <summary>Judges statistics that were read while others wrote: what nobody writes must be exact.</summary>
    public void StatisticsRead(Statistics statistics)
    {
        Interlocked.Increment(ref _statistics);
        if (statistics.Users != graph.People || statistics.Posts < PostsAtStart || !statistics.MostFollowed.SequenceEqual(_mostFollowed))
        {
            Count(ref _wrongStatistics, Text($"the statistics count {statistics.Users:N0} users and {statistics.Posts:N0} posts, or others as the most followed"));
        }
    }

    /// <summary>Judges how many follow a user.</summary>
    public void FollowersRead(int user, int followers)
    {
        Interlocked.Increment(ref _statistics);
        if (followers != graph.FriendsOf(user))
        {
            Count(ref _wrongStatistics, Text($"{followers:N0} follow user {user}, instead of {graph.FriendsOf(user):N0}"));
        }
    }

    /// <summary>Notes a like that was acknowledged.</summary>
    public void Liked(bool isOnTwoShards)
    {
        Interlocked.Increment(ref _likes);
        Interlocked.Add(ref _likesOnTwoShards, isOnTwoShards ? 1 : 0);
    }

    /// <summary>Judges what the shards hold while nobody writes: all of it must be exact.</summary>
    public void QuietRead(QuietNetwork quiet)
    {
        Quiet = quiet;
        StatisticsRead(quiet.Statistics);
        if (quiet.Statistics.Posts != PostsAtStart + Posts.Count || quiet.Statistics.Likes != Likes)
        {
            Count(
                ref _wrongStatistics,
                Text($"the statistics count {quiet.Statistics.Posts:N0} posts and {quiet.Statistics.Likes:N0} likes, instead of {PostsAtStart + Posts.Count:N0} and {Likes:N0}"));
        }
    }

    /// <summary>Notes what went wrong.</summary>
    public void Failed(string problem) => Count(ref _failures, problem);

    private int PostsAtStart => graph.People * postsPerPerson;

    private string? FaultOf(IReadOnlyList<NetworkPost> posts, Func<NetworkPost, bool> belongs, Func<int, bool> isAuthor, long startedAt, RoutingDecision? decision)
    {
        long[] ids = [.. posts.Select(p => p.Id)];
        return posts.FirstOrDefault(p => !belongs(p)) is { } other ? Text($"shows '{other.Text}' of '{other.Author}'")
            : posts.Count > SocialFeed.PageSize || ids.Zip(ids.Skip(1)).Any(pair => pair.First <= pair.Second) ? "is not the newest posts in order"
            : Posts.MissingIn(ids, isAuthor, startedAt, decision) is { } missing ? Text($"lacks post {missing}, read on {decision}")
            : null;
    }

    private void Count(ref long counter, string problem)
    {
        Interlocked.Increment(ref counter);
        if (_problems.Count < MostProblems)
        {
            _problems.Enqueue(problem);
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
