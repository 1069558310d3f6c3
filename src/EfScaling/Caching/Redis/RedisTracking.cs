namespace EfScaling.Caching.Redis;

/// <summary>Makes one connection be told of changes of versions.</summary>
/// <remarks>
/// <para>
/// The prefix of a version is added by the first read that names it, in front of that read on the same connection: the server carries both out in this
/// order, so that no change after the read goes unreported, and nobody waits. Prefixes rather than keys (BCAST), so that the server keeps nothing for each
/// key and a report does not end after the first; prefixes rather than all keys, so that entries that are written make no reports.
/// </para>
/// <para>Thread-safe.</para>
/// </remarks>
internal sealed class RedisTracking(RedisPrefixes known)
{
    private readonly Lock _gate = new();
    private volatile HashSet<string> _covered = [];
    private volatile bool _isOn;
    private volatile bool _isRefused;
    private int _unanswered;

    /// <summary>Gets whether all versions that were read over the connection are reported.</summary>
    public bool IsComplete => _isOn && !_isRefused && Volatile.Read(ref _unanswered) == 0;

    /// <summary>Begins to report.</summary>
    /// <param name="connection">Over which.</param>
    public void TurnOn(RedisConnection connection)
    {
        lock (_gate)
        {
            if (!_isOn)
            {
                _isOn = true;
                _covered = [];
                Add(connection, known.All);
            }
        }
    }

    /// <summary>Makes sure that versions are reported. Must be called before they are sent for.</summary>
    public void Cover(RedisConnection connection, IReadOnlyList<string> versions)
    {
        var covered = _covered.GetAlternateLookup<ReadOnlySpan<char>>();
        for (var i = 0; i < versions.Count; i++)
        {
            var prefix = RedisPrefixes.Of(versions[i]);
            if (!covered.Contains(prefix))
            {
                known.Add(prefix.ToString());
                lock (_gate)
                {
                    Add(connection, [prefix.ToString()]);
                }

                covered = _covered.GetAlternateLookup<ReadOnlySpan<char>>();
            }
        }
    }

    /// <summary>Notes that the server has begun to report prefixes, or refuses to.</summary>
    public void Answered(bool isRefused)
    {
        _isRefused |= isRefused;
        Interlocked.Decrement(ref _unanswered);
    }

    // Under the lock. Published only once the command is in line, so that whoever finds a prefix covered is behind it.
    private void Add(RedisConnection connection, IReadOnlyList<string> prefixes)
    {
        HashSet<string> covered = [.. _covered];
        string[] added = [.. prefixes.Where(p => !covered.Contains(p))];
        covered.UnionWith(added);

        // Redis refuses prefixes of which one starts with the other, and the longer is then covered by the shorter.
        string[] tracked = [.. added.Where(p => !covered.Any(c => c.Length < p.Length && p.StartsWith(c, StringComparison.Ordinal)))];
        if (_isOn && tracked.Length > 0)
        {
            Interlocked.Increment(ref _unanswered);
            var isWider = tracked.Any(t => _covered.Any(c => c.StartsWith(t, StringComparison.Ordinal)));
            connection.Track(isWider ? Widest(covered) : tracked, startsAnew: isWider);
        }

        _covered = covered;
    }

    private static string[] Widest(HashSet<string> prefixes) =>
        [.. prefixes.Where(p => !prefixes.Any(c => c.Length < p.Length && p.StartsWith(c, StringComparison.Ordinal)))];
}
