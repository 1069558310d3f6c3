using System.Collections.Concurrent;
using System.Globalization;
using EfScaling.Routing;
using EfScaling.Sample.Feed;
using EfScaling.Topology;

namespace EfScaling.Sample.Load;

/// <summary>Holds what the load saw against what the router promised, and counts every breach.</summary>
/// <remarks>
/// It trusts nothing that the router or the cache says of itself where the data can say it: the read-back, the heartbeat's write time, the posts on a page and
/// the server's own role.
/// Thread-safe.
/// </remarks>
internal sealed class ConsistencyChecker(TimeProvider clock)
{
    private const int MaxProblems = 5;

    private readonly ConcurrentQueue<string> _problems = new();
    private long _readBacksOnPrimary;
    private long _readBacksOnReplicas;
    private long _readBacksInCache;
    private long _lostWrites;
    private long _heartbeatsFromPrimary;
    private long _heartbeatsFromReplicas;
    private long _staleReads;
    private long _wrongNodes;
    private long _writes;
    private long _misplacedWrites;
    private long _failures;
    private long _pagesOfServers;
    private long _pagesOfCache;
    private long _oldFeeds;
    private long _oldProfiles;

    /// <summary>Gets the heartbeats that were written.</summary>
    public HeartbeatLog Heartbeats { get; } = new();

    /// <summary>Gets the posts that were written.</summary>
    public PostLog Posts { get; } = new(clock);

    /// <summary>Gets how many read-backs the primary answered; all of them for a context without replicas.</summary>
    public long ReadBacksOnPrimary => Interlocked.Read(ref _readBacksOnPrimary);

    /// <summary>Gets how many read-backs replicas answered.</summary>
    public long ReadBacksOnReplicas => Interlocked.Read(ref _readBacksOnReplicas);

    /// <summary>Gets how many read-backs the cache answered, with what others read after the write.</summary>
    public long ReadBacksInCache => Interlocked.Read(ref _readBacksInCache);

    /// <summary>Gets how many read-backs did not show what their own context had written.</summary>
    public long ReadYourWritesViolations => Interlocked.Read(ref _lostWrites);

    /// <summary>Gets how many heartbeat reads the primary answered.</summary>
    public long HeartbeatReadsOnPrimary => Interlocked.Read(ref _heartbeatsFromPrimary);

    /// <summary>Gets how many heartbeat reads standbys answered, by their own word.</summary>
    public long HeartbeatReadsOnReplicas => Interlocked.Read(ref _heartbeatsFromReplicas);

    /// <summary>Gets how many heartbeat reads were older than the bound reported for that very read.</summary>
    public long StalenessViolations => Interlocked.Read(ref _staleReads);

    /// <summary>Gets how many heartbeat reads were answered by a server of another role than the decision says.</summary>
    public long RoleMismatches => Interlocked.Read(ref _wrongNodes);

    /// <summary>Gets how many feeds and profiles servers answered.</summary>
    public long PagesOfServers => Interlocked.Read(ref _pagesOfServers);

    /// <summary>Gets how many feeds and profiles the cache answered.</summary>
    public long PagesOfCache => Interlocked.Read(ref _pagesOfCache);

    /// <summary>Gets how many feeds lacked a post that they should have shown.</summary>
    public long OldFeeds => Interlocked.Read(ref _oldFeeds);

    /// <summary>Gets how many profiles counted fewer posts than they should have.</summary>
    public long OldProfiles => Interlocked.Read(ref _oldProfiles);

    /// <summary>Gets how many writes there were, heartbeats included.</summary>
    public long Writes => Interlocked.Read(ref _writes);

    /// <summary>Gets how many writes ran anywhere but on the primary.</summary>
    public long MisplacedWrites => Interlocked.Read(ref _misplacedWrites);

    /// <summary>Gets how many reads of all kinds were not what was promised.</summary>
    public long Violations => ReadYourWritesViolations + StalenessViolations + OldFeeds + OldProfiles;

    /// <summary>Gets how many operations failed or returned a wrong result.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>Gets the first problems in words.</summary>
    public IReadOnlyCollection<string> Problems => _problems;

    /// <summary>Checks a read of what the same context has written.</summary>
    /// <param name="what">What was written, for the report.</param>
    /// <param name="sawOwnWrite">Whether the read showed it.</param>
    /// <param name="decision">Where the read ran; <see langword="null"/> for a context without replicas.</param>
    public void ReadBack(string what, bool sawOwnWrite, RoutingDecision? decision)
    {
        switch (decision?.Role)
        {
            case NodeRole.Replica:
                Interlocked.Increment(ref _readBacksOnReplicas);
                break;
            case NodeRole.Cache:
                Interlocked.Increment(ref _readBacksInCache);
                break;
            default:
                Interlocked.Increment(ref _readBacksOnPrimary);
                break;
        }

        if (!sawOwnWrite)
        {
            Count(ref _lostWrites, $"{what} was written and not found again on {Place(decision)}");
        }
    }

    /// <summary>Checks a read of the heartbeat against its bound, and its server against the decision.</summary>
    /// <param name="startedAt">When the read began: before the router chose a node, so that the data may not be older than the bound counted from here.</param>
    /// <param name="pulse">What it returned.</param>
    /// <param name="decision">Where it ran and how old its data may have been.</param>
    /// <returns>How old the data was, counted from the first heartbeat that it should have shown; zero if it showed the newest.</returns>
    public TimeSpan HeartbeatRead(long startedAt, Pulse pulse, RoutingDecision decision)
    {
        Interlocked.Increment(ref pulse.IsStandby ? ref _heartbeatsFromReplicas : ref _heartbeatsFromPrimary);
        if (pulse.IsStandby != (decision.Role == NodeRole.Replica))
        {
            Count(ref _wrongNodes, $"a read reported for {Place(decision)} ran on a {(pulse.IsStandby ? "standby" : "primary")}");
        }

        if (Heartbeats.FirstMissedBy(pulse.WrittenAt) is not { } missed || missed >= startedAt)
        {
            return TimeSpan.Zero;
        }

        var age = clock.GetElapsedTime(missed, startedAt);
        if (age > decision.StalenessBound)
        {
            Count(
                ref _staleReads,
                FormattableString.Invariant(
                    $"a read on {decision.Node} was {age.TotalSeconds:0.000} s old, while at most {decision.StalenessBound.TotalSeconds:0.000} s was reported"));
        }

        return age;
    }

    /// <summary>Checks that a feed shows the last post that was acknowledged before it was read, or newer ones only.</summary>
    /// <param name="startedAt">When the read began.</param>
    /// <param name="user">Whose feed it is.</param>
    /// <param name="follows">Whom that user follows.</param>
    /// <param name="entries">What it showed.</param>
    /// <param name="decision">Where it ran, and how old its data may have been; <see langword="null"/> for a context without replicas.</param>
    public void FeedRead(long startedAt, int user, Func<int, bool> follows, IReadOnlyList<FeedEntry> entries, RoutingDecision? decision)
    {
        CountPage(decision);
        if (Posts.MissingIn([.. entries.Select(e => e.PostId)], follows, startedAt, decision) is { } missing)
        {
            Count(ref _oldFeeds, string.Create(CultureInfo.InvariantCulture, $"post {missing} is missing in the feed of user {user} read on {Place(decision)}"));
        }
    }

    /// <summary>Checks that a profile counts all posts that were acknowledged before it was read.</summary>
    /// <param name="startedAt">When the read began.</param>
    /// <param name="user">Whose profile it is.</param>
    /// <param name="postsAtStart">How many posts the user had before the load.</param>
    /// <param name="profile">What it showed.</param>
    /// <param name="decision">Where it ran, and how old its data may have been; <see langword="null"/> for a context without replicas.</param>
    public void ProfileRead(long startedAt, int user, int postsAtStart, Profile profile, RoutingDecision? decision)
    {
        CountPage(decision);
        var posts = postsAtStart + Posts.CountOf(user, Posts.MustShowUntil(startedAt, decision));
        if (profile.Posts < posts)
        {
            Count(
                ref _oldProfiles,
                string.Create(CultureInfo.InvariantCulture, $"the profile of user {user} read on {Place(decision)} counts {profile.Posts} posts instead of {posts}"));
        }
    }

    /// <summary>Checks where a write ran.</summary>
    public void Wrote(Operation operation, RoutingDecision? decision)
    {
        Interlocked.Increment(ref _writes);
        if (decision is { Role: not NodeRole.Primary })
        {
            Count(ref _misplacedWrites, $"{operation} was written on {Place(decision)}");
        }
    }

    /// <summary>Counts an operation that failed or returned what it must not.</summary>
    public void Failed(Operation operation, string why) => Count(ref _failures, $"{operation} failed: {why}");

    private static string Place(RoutingDecision? decision) => decision?.ToString() ?? "the primary";

    private void CountPage(RoutingDecision? decision) =>
        Interlocked.Increment(ref decision?.Role == NodeRole.Cache ? ref _pagesOfCache : ref _pagesOfServers);

    private void Count(ref long counter, string problem)
    {
        Interlocked.Increment(ref counter);
        if (_problems.Count < MaxProblems)
        {
            _problems.Enqueue(problem);
        }
    }
}
