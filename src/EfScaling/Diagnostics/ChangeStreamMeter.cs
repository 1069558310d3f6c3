using System.Diagnostics.Metrics;

namespace EfScaling.Diagnostics;

/// <summary>The instruments <c>efscaling.replication.changes.*</c> of the meter <c>EfScaling</c>. The only tag is the name of the slot.</summary>
internal static class ChangeStreamMeter
{
    private static readonly Meter _meter = new("EfScaling");

    private static readonly Counter<long> _transactions = _meter.CreateCounter<long>(
        "efscaling.replication.changes.transactions", "{transaction}", "Committed transactions whose changed tables were handed on.");

    private static readonly Histogram<double> _delay = _meter.CreateHistogram<double>(
        "efscaling.replication.changes.delay", "s", "Time from a commit until its changed tables were handed on.");

    private static readonly Counter<long> _gaps = _meter.CreateCounter<long>(
        "efscaling.replication.changes.gaps", "{gap}", "Times that changes may have been missed, so that everything counted as changed.");

    private static readonly Gauge<double> _lag = _meter.CreateGauge<double>(
        "efscaling.replication.changes.lag.time", "s", "Upper bound on how long ago the newest change was committed that is not handed on; zero when there is none.");

    private static readonly Gauge<long> _lagBytes = _meter.CreateGauge<long>(
        "efscaling.replication.changes.lag", "By", "Write-ahead log between what was handed on and its end.");

    private static readonly Gauge<long> _retained = _meter.CreateGauge<long>(
        "efscaling.replication.changes.retained", "By", "Write-ahead log that the server keeps for the replication slot.");

    /// <summary>Counts a transaction that was handed on.</summary>
    public static void CountTransaction(string slot, TimeSpan delay)
    {
        var tag = new KeyValuePair<string, object?>("slot", slot);
        _transactions.Add(1, tag);
        _delay.Record(delay.TotalSeconds, tag);
    }

    /// <summary>Counts a gap.</summary>
    public static void CountGap(string slot) => _gaps.Add(1, new KeyValuePair<string, object?>("slot", slot));

    /// <summary>Records how far the stream is behind.</summary>
    public static void RecordLag(string slot, TimeSpan time, long bytes, long retainedBytes)
    {
        var tag = new KeyValuePair<string, object?>("slot", slot);
        _lag.Record(time.TotalSeconds, tag);
        _lagBytes.Record(bytes, tag);
        _retained.Record(retainedBytes, tag);
    }
}
