namespace EfScaling.Caching;

/// <summary>The versions of a <see cref="MemoryCacheStore"/>: those in use, and about as many that were used before them.</summary>
/// <remarks>
/// All versions draw from one counter, so that a value is given once in the life of the store: a version can be forgotten at any time and comes back
/// with a value that it never had. Not thread-safe.
/// </remarks>
internal sealed class MemoryVersions(int capacity = MemoryVersions.DefaultCapacity)
{
    /// <summary>Above which those that were not used lately are forgotten.</summary>
    public const int DefaultCapacity = 200_000;

    private Dictionary<string, long> _young = [];
    private Dictionary<string, long> _old = [];
    private long _last;

    /// <summary>Reads a version, and gives it a value if it is missing.</summary>
    public long Read(string version)
    {
        if (_young.TryGetValue(version, out var value))
        {
            return value;
        }

        return Keep(version, _old.TryGetValue(version, out value) ? value : ++_last);
    }

    /// <summary>Gives each version a value that it never had.</summary>
    public void Bump(IReadOnlyList<string> versions)
    {
        foreach (var version in versions)
        {
            Keep(version, ++_last);
        }
    }

    private long Keep(string version, long value)
    {
        if (_young.Count >= capacity / 2 && !_young.ContainsKey(version))
        {
            (_old, _young) = (_young, []);
        }

        return _young[version] = value;
    }
}
