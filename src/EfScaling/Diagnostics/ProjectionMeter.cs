using System.Diagnostics.Metrics;

namespace EfScaling.Diagnostics;

/// <summary>The instruments <c>efscaling.projections.*</c> of the meter <c>EfScaling</c>. Tags are names of projections and closed sets only.</summary>
internal static class ProjectionMeter
{
    private static readonly Meter _meter = new("EfScaling");

    private static readonly Counter<long> _applied = _meter.CreateCounter<long>("efscaling.projections.applied", "{key}", "Keys whose views were made again.");

    private static readonly Counter<long> _failed = _meter.CreateCounter<long>(
        "efscaling.projections.failed", "{attempt}", "Attempts that failed and are repeated, by whether the surroundings or the key are to blame.");

    private static readonly Counter<long> _parked = _meter.CreateCounter<long>("efscaling.projections.parked", "{key}", "Keys that were given up.");

    private static readonly Histogram<double> _lag = _meter.CreateHistogram<double>("efscaling.projections.lag", "s", "Time from writing a change to its being visible in the read model.");

    private static readonly Gauge<long> _pending = _meter.CreateGauge<long>("efscaling.projections.pending", "{row}", "Rows of the outbox by what they wait for.");

    private static readonly Gauge<double> _age = _meter.CreateGauge<double>("efscaling.projections.pending.age", "s", "Age of the oldest change that waits to be applied.");

    /// <summary>Gets whether anybody listens to what waits, which costs a query to find out.</summary>
    public static bool CountsPending => _pending.Enabled || _age.Enabled;

    /// <summary>Counts applied keys and records how long their changes waited.</summary>
    public static void CountApplied(string projection, int keys, IReadOnlyList<TimeSpan> ages)
    {
        var tag = new KeyValuePair<string, object?>("projection", projection);
        if (keys > 0)
        {
            _applied.Add(keys, tag);
        }

        if (_lag.Enabled)
        {
            foreach (var age in ages)
            {
                _lag.Record(age.TotalSeconds, tag);
            }
        }
    }

    /// <summary>Counts a failed attempt.</summary>
    public static void CountFailed(string projection, bool isOutage) => _failed.Add(1, new("projection", projection), new("cause", isOutage ? "surroundings" : "key"));

    /// <summary>Counts a parked key.</summary>
    public static void CountParked(string projection) => _parked.Add(1, new KeyValuePair<string, object?>("projection", projection));

    /// <summary>Records what waits.</summary>
    public static void RecordPending(string projection, long changes, long rebuilding, long parked, TimeSpan age)
    {
        _pending.Record(changes, new("projection", projection), new("state", "change"));
        _pending.Record(rebuilding, new("projection", projection), new("state", "rebuild"));
        _pending.Record(parked, new("projection", projection), new("state", "parked"));
        _age.Record(age.TotalSeconds, new KeyValuePair<string, object?>("projection", projection));
    }
}
