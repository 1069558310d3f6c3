namespace EfScaling.Sample.Load;

/// <summary>Remembers who wrote which posts and when the primary acknowledged them.</summary>
/// <remarks>Times are ticks of one monotonic clock, so that no server's clock matters. Thread-safe.</remarks>
internal sealed class PostLog
{
    // Of a reader who follows few, only the newest posts are looked through.
    private const int MaxLooks = 1_000;

    // Both guarded by the list, in the order in which acknowledgements were noted.
    private readonly List<(long Id, int Author, long AcknowledgedAt)> _posts = [];
    private readonly Dictionary<int, List<long>> _byAuthor = [];

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

    /// <summary>Returns how many posts of an author were acknowledged before a moment.</summary>
    public int CountOf(int author, long before)
    {
        lock (_posts)
        {
            return _byAuthor.TryGetValue(author, out var times) ? times.Count(t => t < before) : 0;
        }
    }

    /// <summary>Returns the last post by certain authors that was acknowledged before a moment; <see langword="null"/> if there is none.</summary>
    public long? LastBy(Func<int, bool> isAuthor, long before)
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
