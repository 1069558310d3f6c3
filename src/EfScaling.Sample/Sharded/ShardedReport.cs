using System.Globalization;
using EfScaling.Sample.Report;

namespace EfScaling.Sample.Sharded;

/// <summary>Every number of a run over shards, all of them measured, and the checks that decide the exit status.</summary>
internal sealed record ShardedReport
{
    /// <summary>Gets what each shard holds and did.</summary>
    public required IReadOnlyList<ShardSummary> Shards { get; init; }

    /// <summary>Gets how long the load ran.</summary>
    public required double Seconds { get; init; }

    /// <summary>Gets the commands per second.</summary>
    public double CommandsPerSecond => Seconds > 0 ? Shards.Sum(s => s.Reads + s.Writes) / Seconds : 0;

    /// <summary>Gets the rows of the fullest shard, relative to the mean.</summary>
    public double RowSkew => Skew(s => s.Rows);

    /// <summary>Gets the reads of the shard with the most, relative to the mean.</summary>
    public double ReadSkew => Skew(s => s.Reads);

    /// <summary>Gets the writes of the shard with the most, relative to the mean.</summary>
    public double WriteSkew => Skew(s => s.Writes);

    /// <summary>Gets the commands that were refused.</summary>
    public required long Refusals { get; init; }

    /// <summary>Gets how long each operation took.</summary>
    public required IReadOnlyList<LatencySummary> Latency { get; init; }

    /// <summary>Gets how queries are answered from the shards.</summary>
    public required IReadOnlyList<QueryPlan> Plans { get; init; }

    /// <summary>Gets the first problems in words.</summary>
    public required IReadOnlyCollection<string> Problems { get; init; }

    /// <summary>Gets the checks.</summary>
    public required IReadOnlyList<Check> Checks { get; init; }

    /// <summary>Gets whether all checks hold.</summary>
    public bool AllChecksHold => Checks.All(c => c.Holds);

    /// <summary>Sums up.</summary>
    /// <param name="shards">What each shard holds and did.</param>
    /// <param name="users">How many users were loaded.</param>
    /// <param name="follows">How many follows were loaded.</param>
    /// <param name="posts">How many posts were loaded.</param>
    /// <param name="checker">What the visitors saw.</param>
    /// <param name="refusals">The commands that were refused.</param>
    /// <param name="seconds">How long the load ran.</param>
    /// <param name="times">How long the operations took.</param>
    /// <param name="plans">How queries are answered from the shards.</param>
    public static ShardedReport Of(
        IReadOnlyList<ShardSummary> shards,
        int users,
        int follows,
        int posts,
        ShardedChecker checker,
        long refusals,
        double seconds,
        ShardedTimes times,
        IReadOnlyList<QueryPlan> plans) => new()
    {
        Shards = shards,
        Seconds = seconds,
        Refusals = refusals,
        Latency = times.Summarize(),
        Plans = plans,
        Problems = checker.Problems,
        Checks = Judge(shards, users, follows, posts + checker.Posts.Count, checker, refusals),
    };

    // A check that had nothing to check does not hold: 0 violations in 0 reads prove nothing.
    private static Check[] Judge(IReadOnlyList<ShardSummary> shards, int users, int follows, long posts, ShardedChecker checker, long refusals) =>
    [
        new("every row is on the shard of its key", shards.All(s => s is { Misplaced: 0, Rows: > 0 }), Text($"{shards.Sum(s => s.Misplaced):N0} misplaced of {shards.Sum(s => s.Rows):N0} rows")),
        new(
            "no row is missing",
            shards.Sum(s => s.Users) == users && shards.Sum(s => s.Follows) == follows && shards.Sum(s => s.Posts) == posts,
            Text($"{shards.Sum(s => s.Users):N0} of {users:N0} users, {shards.Sum(s => s.Follows):N0} of {follows:N0} follows, {shards.Sum(s => s.Posts):N0} of {posts:N0} posts")),
        new("each command ran on the shards that it concerns", checker is { Elsewhere: 0, Commands: > 0 }, Text($"{checker.Elsewhere:N0} of {checker.Commands:N0} elsewhere")),
        new(
            "every shard, and the replica of each, takes part",
            shards.All(s => s is { Reads: > 0, Writes: > 0, ReplicaReads: > 0 }),
            string.Join(", ", shards.Select(s => Text($"{s.Shard} {s.Reads:N0} reads, {s.ReplicaReads:N0} of them on its replica, {s.Writes:N0} writes")))),
        new("a session reads its own posts and likes", checker is { Lost: 0, ReadBacks: > 0 }, Text($"{checker.Lost:N0} violations in {checker.ReadBacks:N0} read-backs")),
        new(
            "a token carries what was written to the feed and to the accounts",
            checker is { LostHandovers: 0, Handovers: > 0 },
            Text($"{checker.LostHandovers:N0} violations in {checker.Handovers:N0} sessions that knew nothing else")),
        new("feeds show the newest posts of whom their users follow, from all shards", checker is { WrongFeeds: 0, Feeds: > 0 }, Text($"{checker.WrongFeeds:N0} violations in {checker.Feeds:N0} feeds")),
        new("searches find the newest posts with their words, on all shards", checker is { WrongSearches: 0, Searches: > 0 }, Text($"{checker.WrongSearches:N0} violations in {checker.Searches:N0} searches")),
        new("statistics over all shards are exact", checker is { WrongStatistics: 0, Quiet: not null }, StatisticsOf(checker)),
        new("a like is with its post and with its user, or with neither", LikesAreWhole(checker), LikesOf(checker)),
        new("no command was refused", refusals == 0, Text($"{refusals:N0} refusals")),
        new("no operation failed", checker.Failures == 0, Text($"{checker.Failures:N0} failures or wrong results")),
    ];

    private static string StatisticsOf(ShardedChecker checker) =>
        Text($"{checker.WrongStatistics:N0} violations in {checker.StatisticsReads:N0} reads")
        + (checker.Quiet is { Statistics: { MostFollowed: [var first, ..] } last } ? Text($"; at the end {last.Users:N0} users, {last.Posts:N0} posts, {last.Likes:N0} likes, most follow user {first.UserId}: {first.Followers:N0}") : "");

    private static bool LikesAreWhole(ShardedChecker checker) =>
        checker is { LikesOnTwoShards: > 0, Quiet: { UsersWithHalfLikes: 0 } quiet } && quiet.LikesOfUsers.Sum(l => l.Likes) == checker.Likes;

    private static string LikesOf(ShardedChecker checker) => Text(
        $"{checker.Likes:N0} likes, {checker.LikesOnTwoShards:N0} of them written on two shards; {checker.Quiet?.LikesOfPosts.Sum(l => l.Likes):N0} are with posts, {checker.Quiet?.LikesOfUsers.Sum(l => l.Likes):N0} with users; {checker.Quiet?.UsersWithHalfLikes:N0} users whose numbers differ");

    private double Skew(Func<ShardSummary, long> count) => Shards.Sum(count) is var sum && sum > 0 ? (double)Shards.Max(count) * Shards.Count / sum : 0;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
