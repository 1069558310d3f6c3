using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace EfScaling.Sample.Sharded;

/// <summary>Counts commands by shard, and refusals, as any collector of metrics does: by the meter <c>EfScaling</c>.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class ShardCounts : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<(string Shard, bool IsWrite), long> _commands = new();
    private long _refusals;

    /// <summary>Begins to count.</summary>
    public ShardCounts()
    {
        _listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument is { Meter.Name: "EfScaling", Name: "efscaling.sharding.commands" or "efscaling.sharding.refusals" })
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>(Count);
        _listener.Start();
    }

    /// <summary>Gets how many commands were refused because no single shard could run them.</summary>
    public long Refusals => Interlocked.Read(ref _refusals);

    /// <summary>Returns the queries that a shard was asked.</summary>
    public long ReadsOf(string shard) => _commands.GetValueOrDefault((shard, false));

    /// <summary>Returns the saves and statements that a shard was given.</summary>
    public long WritesOf(string shard) => _commands.GetValueOrDefault((shard, true));

    /// <inheritdoc />
    public void Dispose() => _listener.Dispose();

    private void Count(Instrument instrument, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state)
    {
        if (instrument.Name == "efscaling.sharding.refusals")
        {
            Interlocked.Add(ref _refusals, value);
            return;
        }

        var (shard, kind) = (string.Empty, string.Empty);
        foreach (var tag in tags)
        {
            (shard, kind) = tag.Key == "shard" ? ((string)tag.Value!, kind) : (shard, (string)tag.Value!);
        }

        _commands.AddOrUpdate((shard, kind != "query"), value, (_, count) => count + value);
    }
}
