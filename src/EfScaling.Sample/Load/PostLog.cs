using EfScaling.Routing;
using EfScaling.Sample.Feed;

namespace EfScaling.Sample.Load;

/// <summary>Remembers who wrote which posts and when the primary acknowledged them.</summary>
/// <remarks>Times are ticks of one monotonic clock, so that no server's clock matters. Thread-safe.</remarks>
/// <param name="clock">That clock.</param>
internal sealed class PostLog(TimeProvider clock)
{
    // Of a reader who follows few, only the newest posts are looked through.
    private const int MaxLooks = 1_000;

    // Both guarded by the list, in the order in which acknowledgements were noted.
    private readonly List<(long Id, int Author, long AcknowledgedAt)> _posts = [];
    private readonly Dictionary<int, List<long>> _byAuthor = [];

    /// <summary>Gets how many posts were acknowledged.</summary>
    public int Count
    {
        get
        {
            lock (_posts)
            {
                return _posts.Count;
            }
        }
    }

    /// <summary>Returns whether a page of the newest posts shows a post, or has no room for it.</summary>
    /// <param name="page">The posts on the page.</param>
    /// <param name="id">The post.</param>
    public static bool Shows(IReadOnlyCollection<long> page, long id) => page.Contains(id) || (page.Count >= SocialFeed.PageSize && page.All(other => other > id));

    /// <summary>Notes a post that the primary has committed.</summary>
    public void Acknowledge(long id, int author, long acknowledgedAt)
    {
        lock (_posts)
        {
            _posts.Add((id, author, acknowledgedAt));
            if (!_byAuthor.TryGetValue(author, out var times))
            {
                _byAuthor[author] = times = [];
            }

            times.Add(acknowledgedAt);
        }
    }

    /// <summary>Returns the moment up to which a read must show what was acknowledged.</summary>
    /// <param name="startedAt">When the read began.</param>
    /// <param name="decision">How old its data may have been; a hit in the cache has no bound, and <see langword="null"/> is a context without replicas: both show everything.</param>
    public long MustShowUntil(long startedAt, RoutingDecision? decision) =>
        startedAt - (long)Math.Ceiling((decision?.StalenessBound ?? TimeSpan.Zero).TotalSeconds * clock.TimestampFrequency);

    /// <summary>Returns a post that a page of the newest ones should show and does not; <see langword="null"/> if there is none.</summary>
    /// <param name="page">The posts on the page.</param>
    /// <param name="isAuthor">Whose posts belong there.</param>
    /// <param name="startedAt">When the page was asked for.</param>
    /// <param name="decision">How old it may have been.</param>
    public long? MissingIn(IReadOnlyCollection<long> page, Func<int, bool> isAuthor, long startedAt, RoutingDecision? decision) =>
        LastBy(isAuthor, MustShowUntil(startedAt, decision)) is { } last && !Shows(page, last) ? last : null;

    /// <summary>Returns how many posts of an author were acknowledged before a moment.</summary>
    public int CountOf(int author, long before)
    {
        lock (_posts)
        {
            return _byAuthor.TryGetValue(author, out var times) ? times.Count(t => t < before) : 0;
        }
    }

    private long? LastBy(Func<int, bool> isAuthor, long before)
    {
        lock (_posts)
        {
            for (var i = _posts.Count - 1; i >= Math.Max(0, _posts.Count - MaxLooks); i--)
            {
                var (id, author, acknowledgedAt) = _posts[i];
                if (acknowledgedAt < before && isAuthor(author))
                {
                    return id;
                }
            }

            return null;
        }
    }
}
