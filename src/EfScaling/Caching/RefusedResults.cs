using System.Collections.Concurrent;
using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>The results that were read in vain because they turned out too large, until it is worth finding out again.</summary>
/// <remarks>By query and parameters: another value of a parameter has another result. Thread-safe.</remarks>
internal sealed class RefusedResults(TimeProvider clock)
{
    /// <summary>How many are remembered at most.</summary>
    public const int Capacity = 10_000;

    private readonly ConcurrentDictionary<UInt128, Moment> _until = new();
    private int _count;

    /// <summary>Remembers a result.</summary>
    /// <param name="query">Key of the query.</param>
    /// <param name="timeToLive">How long.</param>
    public void Add(UInt128 query, TimeSpan timeToLive)
    {
        // Forgotten, each costs its query one more reading.
        if (Volatile.Read(ref _count) >= Capacity)
        {
            _until.Clear();
            Volatile.Write(ref _count, 0);
        }

        var until = Moment.Now(clock).Plus(timeToLive, clock);
        if (_until.TryAdd(query, until))
        {
            Interlocked.Increment(ref _count);
        }
        else
        {
            _until[query] = until;
        }
    }

    /// <summary>Returns whether a result is remembered.</summary>
    public bool Contains(UInt128 query) => Volatile.Read(ref _count) > 0 && _until.TryGetValue(query, out var until) && until > Moment.Now(clock);
}
