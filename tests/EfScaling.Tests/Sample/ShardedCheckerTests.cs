using EfScaling.Routing;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Graph;
using EfScaling.Sample.Sharded;
using EfScaling.Topology;

namespace EfScaling.Tests.Sample;

public class ShardedCheckerTests
{
    private const string AllShards = "s0, s1";
    private const string Feeds = "feeds show the newest posts of whom their users follow, from all shards";
    private const string Searches = "searches find the newest posts with their words, on all shards";
    private const string Statistics = "statistics over all shards are exact";
    private const string Likes = "a like is with its post and with its user, or with neither";

    private const int PostsPerPerson = 4;
    private const long NewPost = 900;

    // The reader follows the author, and not the stranger.
    private const int Reader = 0;
    private const int Author = 1;
    private const int Stranger = 4_000;

    private static readonly FriendshipGraph Graph = FriendshipGraph.Unpack();
    private static readonly FollowedUser[] MostFollowed = [.. Graph.ByFriends.Take(10).Select(p => new FollowedUser(p, Graph.FriendsOf(p)))];

    private readonly ShardedChecker _checker = new(Graph, PostsPerPerson, new ManualClock());

    [Fact]
    public void Holds_for_a_run_in_which_everything_went_right()
    {
        RunWell();

        Assert.Empty(Failing());
        Assert.Empty(_checker.Problems);
    }

    [Fact]
    public void Fails_every_check_that_had_nothing_to_check()
    {
        Assert.Equal(
            [
                "each command ran on the shards that it concerns",
                "a session reads its own posts and likes",
                "a token carries what was written to the feed and to the accounts",
                Feeds,
                Searches,
                Statistics,
                Likes,
            ],
            Failing());
    }

    [Theory]
    [InlineData("command elsewhere", "each command ran on the shards that it concerns")]
    [InlineData("lost like", "a session reads its own posts and likes")]
    [InlineData("lost post of another session", "a token carries what was written to the feed and to the accounts")]
    [InlineData("feed with a stranger", Feeds)]
    [InlineData("feed with another name", Feeds)]
    [InlineData("feed out of order", Feeds)]
    [InlineData("feed with a post twice", Feeds)]
    [InlineData("feed without the newest post", Feeds)]
    [InlineData("short feed", Feeds)]
    [InlineData("search with other words", Searches)]
    [InlineData("search out of order", Searches)]
    [InlineData("search without the newest post", Searches)]
    [InlineData("lost user in statistics", Statistics)]
    [InlineData("lost follower in statistics", Statistics)]
    [InlineData("lost follower", Statistics)]
    [InlineData("lost post in statistics", Statistics)]
    [InlineData("lost like in statistics", Statistics)]
    [InlineData("like without its post", Likes)]
    [InlineData("like without its user", Likes)]
    [InlineData("like of another user", Likes)]
    [InlineData("like without either", Likes)]
    [InlineData("failure", "no operation failed")]
    public void Names_the_check_that_a_fault_breaks(string fault, string check)
    {
        RunWell();

        Plant(fault);

        Assert.Equal([check], Failing());
        Assert.True(check == Likes || _checker.Problems.Count == 1);
    }

    [Fact]
    public void Lets_pages_lack_what_is_newer_than_their_reported_bound()
    {
        RunWell();

        _checker.FeedRead(1_010, Reader, Page(NewPost - 1), OnReplica(bound: 20));
        _checker.SearchRead(1_010, "visit", [], TextBy, OnReplica(bound: 20));

        Assert.Empty(Failing());
    }

    private void Plant(string fault)
    {
        var page = Page(NewPost);
        switch (fault)
        {
            case "command elsewhere":
                _checker.Ran(OnReplica() with { Shard = "s0" }, AllShards);
                break;
            case "lost like":
                _checker.ReadBack("like", false);
                break;
            case "lost post of another session":
                _checker.HandedOver(seesPost: false, seesSignIn: true);
                break;
            case "feed with a stranger":
                ReadFeed([.. page[..^1], PostBy(Stranger, page[^1].Id)]);
                break;
            case "feed with another name":
                ReadFeed([.. page[..^1], page[^1] with { Author = "user 2" }]);
                break;
            case "feed out of order":
                ReadFeed([.. page[..^2], page[^1], page[^2]]);
                break;
            case "feed with a post twice":
                ReadFeed([.. page[..^1], page[^2]]);
                break;
            case "feed without the newest post":
                ReadFeed(Page(NewPost - 1));
                break;
            case "short feed":
                ReadFeed(page[..^1]);
                break;
            case "search with other words":
                Search([PostBy(Author, NewPost), new NetworkPost(1, Stranger, "user 4000", "post 1 of user 4000")]);
                break;
            case "search out of order":
                Search([PostBy(Stranger, 1), PostBy(Author, NewPost)]);
                break;
            case "search without the newest post":
                Search([]);
                break;
            case "lost user in statistics":
                _checker.StatisticsRead(new(Graph.People - 1, PostsAtStart, 0, MostFollowed));
                break;
            case "lost follower in statistics":
                _checker.StatisticsRead(new(Graph.People, PostsAtStart, 0, [MostFollowed[0] with { Followers = 1 }, .. MostFollowed[1..]]));
                break;
            case "lost follower":
                _checker.FollowersRead(Reader, Graph.FriendsOf(Reader) - 1);
                break;
            case "lost post in statistics":
                ReadQuiet(posts: PostsAtStart, likes: 1, [new(Reader, 1)], [new(Reader, 1)]);
                break;
            case "lost like in statistics":
                ReadQuiet(posts: PostsAtStart + 1, likes: 0, [new(Reader, 1)], [new(Reader, 1)]);
                break;
            case "like without its post":
                ReadQuiet(posts: PostsAtStart + 1, likes: 1, [], [new(Reader, 1)]);
                break;
            case "like without its user":
                ReadQuiet(posts: PostsAtStart + 1, likes: 1, [new(Reader, 1)], []);
                break;
            case "like of another user":
                ReadQuiet(posts: PostsAtStart + 1, likes: 1, [new(Reader, 1)], [new(Stranger, 1)]);
                break;
            case "like without either":
                ReadQuiet(posts: PostsAtStart + 1, likes: 1, [], []);
                break;
            case "failure":
                _checker.Failed("out of luck");
                break;
        }
    }

    private void RunWell()
    {
        _checker.Ran(OnReplica(), AllShards);
        _checker.Posts.Acknowledge(NewPost, Author, 1_000);
        _checker.ReadBack("post", true);
        _checker.HandedOver(seesPost: true, seesSignIn: true);
        _checker.Liked(isOnTwoShards: true);
        ReadFeed(Page(NewPost));
        Search([PostBy(Author, NewPost)]);
        _checker.StatisticsRead(new(Graph.People, PostsAtStart, 0, MostFollowed));
        _checker.FollowersRead(Reader, Graph.FriendsOf(Reader));
        ReadQuiet(PostsAtStart + 1, likes: 1, [new(Reader, 1)], [new(Reader, 1)]);
    }

    private IEnumerable<string> Failing()
    {
        var posts = PostsAtStart + _checker.Posts.Count;
        ShardSummary[] shards =
        [
            new("s0", 2_000, 88_000, 8_000, 1, 0, 0, 100, 10, 10),
            new("s1", Graph.People - 2_000, (Graph.Friendships.Count * 2) - 88_000, posts - 8_000, 0, 1, 0, 100, 10, 10),
        ];
        var report = ShardedReport.Of(shards, Graph.People, Graph.Friendships.Count * 2, PostsAtStart, _checker, refusals: 0, seconds: 1, new ShardedTimes(), []);
        return report.Checks.Where(c => !c.Holds).Select(c => c.Name);
    }

    private static int PostsAtStart => Graph.People * PostsPerPerson;

    private void ReadFeed(NetworkPost[] posts) => _checker.FeedRead(1_010, Reader, posts, OnReplica());

    private void Search(NetworkPost[] posts) => _checker.SearchRead(1_010, "visit", posts, TextBy, OnReplica());

    private void ReadQuiet(int posts, int likes, LikeCount[] ofPosts, LikeCount[] ofUsers) =>
        _checker.QuietRead(new(new(Graph.People, posts, likes, MostFollowed), ofPosts, ofUsers));

    private static NetworkPost[] Page(long newest) => [.. Enumerable.Range(0, SocialFeed.PageSize).Select(i => PostBy(Author, newest - i))];

    private static NetworkPost PostBy(int author, long id) => new(id, author, $"user {author}", TextBy(author));

    private static string TextBy(int author) => $"visit of user {author}";

    private static RoutingDecision OnReplica(int bound = 0) =>
        new("replica:1", NodeRole.Replica, RoutingReason.FreshReplica, TimeSpan.FromMilliseconds(bound), 1) { Shard = AllShards };
}
