using System.Diagnostics.Metrics;

namespace EfScaling.Diagnostics;

/// <summary>The instruments <c>efscaling.caching.*</c> of the meter <c>EfScaling</c>. Tags are operations and reasons of closed sets only.</summary>
internal static class CachingMeter
{
    private static readonly Meter _meter = new("EfScaling");

    private static readonly Histogram<double> _storeDuration = _meter.CreateHistogram<double>(
        "efscaling.caching.store.duration", "s", "Time an operation of the cache store took, answered or not.");

    private static readonly Counter<long> _storeFailures = _meter.CreateCounter<long>(
        "efscaling.caching.store.failures", "{operation}", "Operations that the cache store did not do, by reason.");

    private static readonly Counter<long> _roundTrips = _meter.CreateCounter<long>(
        "efscaling.caching.store.roundtrips", "{roundtrip}", "Answers of the cache store's server, by what was asked; the questions of the heartbeat too.");

    private static readonly ObservedSources<TimeSpan?> _silences = new();

    // Named nowhere: the meter holds it.
    private static readonly ObservableGauge<double> _silence = _meter.CreateObservableGauge(
        "efscaling.caching.store.silence",
        () => _silences.Read().Max() is { } longest ? [new Measurement<double>(longest.TotalSeconds)] : Array.Empty<Measurement<double>>(),
        "s",
        "Time since the cache store's server was last heard, whose reports of changes results in memory rely on; the longest if there are several.");

    /// <summary>Gets whether anybody listens to the durations of operations.</summary>
    public static bool TimesStore => _storeDuration.Enabled;

    /// <summary>Records the duration of an operation.</summary>
    public static void RecordStore(string operation, TimeSpan elapsed) => _storeDuration.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>("operation", operation));

    /// <summary>Counts an answer.</summary>
    public static void CountRoundTrip(string operation) => _roundTrips.Add(1, new KeyValuePair<string, object?>("operation", operation));

    /// <summary>Observes for how long a server has been silent, until <see cref="Forget"/>.</summary>
    /// <param name="silence"><see langword="null"/> while there is no connection.</param>
    public static void Observe(Func<TimeSpan?> silence) => _silences.Add(silence);

    /// <summary>Ends what <see cref="Observe"/> began.</summary>
    public static void Forget(Func<TimeSpan?> silence) => _silences.Remove(silence);

    /// <summary>Counts an operation that failed.</summary>
    public static void CountStoreFailure(string reason) => _storeFailures.Add(1, new KeyValuePair<string, object?>("reason", reason));
}
