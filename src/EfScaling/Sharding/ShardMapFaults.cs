using System.Globalization;

namespace EfScaling.Sharding;

/// <summary>Collects what is wrong with a shard map, so that all of it is told at once.</summary>
internal sealed class ShardMapFaults
{
    private readonly List<string> _faults = [];

    /// <summary>Gets whether nothing is wrong so far.</summary>
    public bool IsEmpty => _faults.Count == 0;

    /// <summary>Adds a fault: what is wrong, and what mends it.</summary>
    public void Add(string fault) => _faults.Add(fault);

    /// <summary>Refuses the map if anything is wrong with it.</summary>
    /// <exception cref="ArgumentException">There are faults; the message has all of them.</exception>
    public void ThrowIfAny()
    {
        if (_faults.Count == 1)
        {
            throw new ArgumentException($"The shard map cannot be used: {_faults[0]}");
        }

        if (_faults.Count > 1)
        {
            throw new ArgumentException(
                string.Concat([$"The shard map cannot be used, for {_faults.Count.ToString(CultureInfo.InvariantCulture)} reasons:", .. _faults.Select(f => $"\n- {f}")]));
        }
    }
}
