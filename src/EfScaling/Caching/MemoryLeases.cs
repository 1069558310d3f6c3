using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>The leases of a <see cref="MemoryCacheStore"/>.</summary>
/// <remarks>Not thread-safe.</remarks>
internal sealed class MemoryLeases
{
    private const int FirstSweep = 1024;

    private readonly Dictionary<string, Moment> _ends = [];
    private int _sweepAt = FirstSweep;

    /// <summary>Gets how many leases are remembered, ended ones among them.</summary>
    public int Count => _ends.Count;

    /// <summary>Takes a lease that nobody holds.</summary>
    public bool TryTake(string lease, Moment now, Moment until)
    {
        if (_ends.TryGetValue(lease, out var end) && now < end)
        {
            return false;
        }

        _ends[lease] = until;
        if (_ends.Count >= _sweepAt)
        {
            // Holders that died gave nothing back. Doubling keeps the cost of looking for them constant for each lease.
            foreach (var (ended, _) in _ends.Where(l => l.Value <= now).ToList())
            {
                _ends.Remove(ended);
            }

            _sweepAt = Math.Max(FirstSweep, 2 * _ends.Count);
        }

        return true;
    }

    /// <summary>Gives a lease back.</summary>
    public void Release(string lease) => _ends.Remove(lease);
}
