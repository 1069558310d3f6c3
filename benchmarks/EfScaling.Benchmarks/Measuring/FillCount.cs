using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace EfScaling.Benchmarks.Measuring;

/// <summary>Counts the results that caches of this process put into their stores, which they do after the query has ended.</summary>
/// <remarks>One caller expects and waits; the counting itself is thread-safe.</remarks>
internal sealed class FillCount : IDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(1);

    private readonly MeterListener _listener = new();
    private long _done;
    private long _expected;

    /// <summary>Begins to count.</summary>
    public FillCount()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument is { Meter.Name: "EfScaling", Name: "efscaling.caching.fills" })
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, count, _, _) => Interlocked.Add(ref _done, count));
        _listener.Start();
    }

    /// <summary>Expects one more.</summary>
    public void Expect() => _expected++;

    /// <summary>Completes when those that are expected are done. One that the store refused is not waited for again.</summary>
    public async Task SettleAsync()
    {
        var start = Stopwatch.GetTimestamp();
        while (Interlocked.Read(ref _done) < _expected && Stopwatch.GetElapsedTime(start) < _patience)
        {
            await Task.Delay(1);
        }

        _expected = Interlocked.Read(ref _done);
    }

    /// <inheritdoc />
    public void Dispose() => _listener.Dispose();
}
