using System.Diagnostics.Metrics;

namespace EfScaling.Diagnostics;

/// <summary>The instruments <c>efscaling.transactions.*</c> of the meter <c>EfScaling</c>, about transactions over several shards. Tags are the names of shards as configured and outcomes only.</summary>
internal static class TransactionMeter
{
    private static readonly Meter _meter = new("EfScaling");

    private static readonly Counter<long> _commits = _meter.CreateCounter<long>(
        "efscaling.transactions.commits", "{transaction}", "Transactions over several shards by their outcome for the caller: Committed, RolledBack or InDoubt.");

    private static readonly Histogram<int> _participants = _meter.CreateHistogram<int>(
        "efscaling.transactions.participants", "{shard}", "Shards that take part in a transaction over several.");

    private static readonly Counter<long> _settled = _meter.CreateCounter<long>(
        "efscaling.transactions.settled", "{transaction}", "Prepared parts that an interrupted transaction has left on a shard and recovery has ended, by shard and outcome: Committed or RolledBack.");

    private static readonly Gauge<double> _oldest = _meter.CreateGauge<double>(
        "efscaling.transactions.prepared.age", "s", "Age of the oldest prepared part on a shard when recovery looked last; 0 if there is none.");

    private static readonly Gauge<int> _prepared = _meter.CreateGauge<int>(
        "efscaling.transactions.prepared", "{transaction}", "Prepared parts on a shard when recovery looked last, those under way included.");

    /// <summary>Counts a transaction over several shards.</summary>
    public static void Count(string outcome, int participants)
    {
        _commits.Add(1, new KeyValuePair<string, object?>("outcome", outcome));
        _participants.Record(participants);
    }

    /// <summary>Counts a prepared part that recovery has ended.</summary>
    public static void CountSettled(string shard, string outcome) => _settled.Add(1, new("shard", shard), new("outcome", outcome));

    /// <summary>Records what is prepared on a shard.</summary>
    public static void RecordPrepared(string shard, int count, double oldestSeconds)
    {
        _prepared.Record(count, new KeyValuePair<string, object?>("shard", shard));
        _oldest.Record(oldestSeconds, new KeyValuePair<string, object?>("shard", shard));
    }
}
