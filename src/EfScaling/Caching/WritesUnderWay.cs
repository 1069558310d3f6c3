namespace EfScaling.Caching;

/// <summary>The versions that writes of this process are about to bump, from before the commit until the store has been told.</summary>
/// <remarks>Results that depend on one of them are neither used nor kept in this process. Thread-safe.</remarks>
internal sealed class WritesUnderWay
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _writers = new(StringComparer.Ordinal);
    private volatile int _count;

    /// <summary>Notes a writer.</summary>
    public void Add(IReadOnlyList<string> versions)
    {
        lock (_lock)
        {
            foreach (var version in versions)
            {
                _writers[version] = _writers.GetValueOrDefault(version) + 1;
            }

            _count = _writers.Count;
        }
    }

    /// <summary>Notes that a writer is done.</summary>
    public void Remove(IReadOnlyList<string> versions)
    {
        lock (_lock)
        {
            foreach (var version in versions)
            {
                if (--System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrNullRef(_writers, version) == 0)
                {
                    _writers.Remove(version);
                }
            }

            _count = _writers.Count;
        }
    }

    /// <summary>Returns whether one of the versions is about to be bumped.</summary>
    public bool ContainsAny(string[] versions)
    {
        if (_count == 0)
        {
            return false;
        }

        lock (_lock)
        {
            foreach (var version in versions)
            {
                if (_writers.ContainsKey(version))
                {
                    return true;
                }
            }
        }

        return false;
    }
}
