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

    /// <summary>Gets whether anybody listens to the durations of operations.</summary>
    public static bool TimesStore => _storeDuration.Enabled;

    /// <summary>Records the duration of an operation.</summary>
    public static void RecordStore(string operation, TimeSpan elapsed) => _storeDuration.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>("operation", operation));

    /// <summary>Counts an operation that failed.</summary>
    public static void CountStoreFailure(string reason) => _storeFailures.Add(1, new KeyValuePair<string, object?>("reason", reason));
}
