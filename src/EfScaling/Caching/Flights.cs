using System.Collections.Concurrent;
using EfScaling.Caching.Rows;
using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>The loads under way in this process, by what they load and the versions they load it under.</summary>
/// <remarks>
/// A reader joins a load only if it has read the very versions that the load began with: a load that began before the reader's own write has others.
/// Thread-safe.
/// </remarks>
internal sealed class Flights(TimeProvider clock)
{
    /// <summary>How long a reader waits for another's load before it loads by itself.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    // How long others wait for an application that reads the rows one by one, at its own pace.
    private static readonly TimeSpan _patienceWithStreams = TimeSpan.FromMilliseconds(100);

    // A reader that was abandoned without being disposed never lands.
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<(UInt128 Query, UInt128 Stamp), Flight> _flights = new();

    /// <summary>Joins the load under way, or begins one.</summary>
    /// <param name="query">What is loaded.</param>
    /// <param name="stamp">The versions that the reader has read.</param>
    /// <param name="isOwn">Whether the caller has begun it, and must land it.</param>
    public Flight Join(UInt128 query, UInt128 stamp, out bool isOwn)
    {
        var now = Moment.Now(clock);
        if (_flights.TryGetValue((query, stamp), out var under) && under.StartedAt.Until(now, clock) < _longest)
        {
            isOwn = false;
            return under;
        }

        var own = new Flight(now);
        var flight = _flights.AddOrUpdate((query, stamp), own, (_, other) => other.StartedAt.Until(now, clock) < _longest ? other : own);
        isOwn = ReferenceEquals(flight, own);
        return flight;
    }

    /// <summary>Notes that the application has begun to read the rows of a load. If that takes it long, those who wait load by themselves.</summary>
    public void Stream(UInt128 query, UInt128 stamp, Flight flight) => flight.LandAfter(_patienceWithStreams, () => Land(query, stamp, flight, null), clock);

    /// <summary>Ends a load.</summary>
    public void Land(UInt128 query, UInt128 stamp, Flight flight, RowSet? rows)
    {
        _flights.TryRemove(KeyValuePair.Create((query, stamp), flight));
        flight.Land(rows);
    }
}
