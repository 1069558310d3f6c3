using System.Diagnostics.Metrics;

namespace EfScaling.Diagnostics;

/// <summary>The instruments <c>efscaling.caching.*</c> of the meter <c>EfScaling</c> that are about queries. Tags are outcomes only.</summary>
internal static class QueryCacheMeter
{
    private static readonly Meter _meter = new("EfScaling");

    private static readonly Counter<long> _lookups = _meter.CreateCounter<long>(
        "efscaling.caching.lookups", "{query}", "Queries that asked for the cache, by what came of it.");

    private static readonly Counter<long> _downHits = _meter.CreateCounter<long>(
        "efscaling.caching.hits.down", "{query}", "Queries that were given an old result because no server could be asked. They are among the lookups by why the database was.");

    private static readonly Counter<long> _fills = _meter.CreateCounter<long>("efscaling.caching.fills", "{result}", "Results that were kept.");

    private static readonly Counter<long> _fillBytes = _meter.CreateCounter<long>("efscaling.caching.fill.size", "By", "Bytes of the results that were kept.");

    private static readonly Counter<long> _refusedFills = _meter.CreateCounter<long>(
        "efscaling.caching.fills.refused", "{result}", "Results that were read and not kept, by why.");

    private static readonly Histogram<double> _loads = _meter.CreateHistogram<double>(
        "efscaling.caching.load.duration", "s", "Time from a miss to the end of the result that was read instead.");

    private static readonly Counter<long> _hitBytes = _meter.CreateCounter<long>("efscaling.caching.read.size", "By", "Bytes of entries read from the store.");

    private static readonly Counter<long> _publications = _meter.CreateCounter<long>("efscaling.caching.publications", "{write}", "Writes that the store was told of.");

    private static readonly Counter<long> _publicationFailures = _meter.CreateCounter<long>(
        "efscaling.caching.publications.failed", "{write}", "Writes that the store could not be told of at once.");

    private static readonly Counter<long> _recovered = _meter.CreateCounter<long>(
        "efscaling.caching.writes.recovered", "{write}", "Writes of other processes that were published in their place.");

    private static readonly Counter<long> _generations = _meter.CreateCounter<long>(
        "efscaling.caching.generations", "{generation}", "Times that all results became old at once, by what has become another.");

    private static readonly ObservedSources<long> _localSizes = new();

    // Named nowhere: the meter holds it.
    private static readonly ObservableUpDownCounter<long> _localSize = _meter.CreateObservableUpDownCounter(
        "efscaling.caching.local.size", () => _localSizes.Read().Sum(), "By", "Bytes of the results that the process keeps in its memory, about.");

    /// <summary>Gets whether anybody listens to the lookups.</summary>
    public static bool CountsLookups => _lookups.Enabled;

    /// <summary>Counts a query that asked for the cache.</summary>
    public static void CountLookup(string outcome) => _lookups.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    /// <summary>Counts a query that was given an old result because no server could be asked.</summary>
    public static void CountDownHit() => _downHits.Add(1);

    /// <summary>Counts a result that was kept.</summary>
    public static void CountFill(int bytes)
    {
        _fills.Add(1);
        _fillBytes.Add(bytes);
    }

    /// <summary>Counts a result that was not kept.</summary>
    public static void CountRefusedFill(string reason) => _refusedFills.Add(1, new KeyValuePair<string, object?>("reason", reason));

    /// <summary>Records the time that a load took.</summary>
    public static void RecordLoad(TimeSpan elapsed) => _loads.Record(elapsed.TotalSeconds);

    /// <summary>Counts the bytes of an entry.</summary>
    public static void RecordEntry(int bytes) => _hitBytes.Add(bytes);

    /// <summary>Counts a write that was published.</summary>
    public static void CountPublication() => _publications.Add(1);

    /// <summary>Counts a write that was not.</summary>
    public static void CountPublicationFailure() => _publicationFailures.Add(1);

    /// <summary>Counts that all results became old.</summary>
    public static void CountGeneration(string reason) => _generations.Add(1, new KeyValuePair<string, object?>("reason", reason));

    /// <summary>Observes the bytes of the results in memory, until <see cref="ForgetLocalSize"/>.</summary>
    public static void ObserveLocalSize(Func<long> bytes) => _localSizes.Add(bytes);

    /// <summary>Ends what <see cref="ObserveLocalSize"/> began.</summary>
    public static void ForgetLocalSize(Func<long> bytes) => _localSizes.Remove(bytes);

    /// <summary>Counts writes that were published for others.</summary>
    public static void CountRecoveredWrites(int count) => _recovered.Add(count);
}
