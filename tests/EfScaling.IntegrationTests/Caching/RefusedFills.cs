using System.Diagnostics.Metrics;
using EfScaling.Caching;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Counts the results that no cache of the test process kept, for one reason.</summary>
internal sealed class RefusedFills : IDisposable
{
    private readonly MeterListener _listener = new();
    private long _count;

    public RefusedFills(CacheOutcome reason)
    {
        _listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name == "efscaling.caching.fills.refused")
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            if (tags.ToArray().Contains(new("reason", reason.ToString())))
            {
                Interlocked.Add(ref _count, value);
            }
        });
        _listener.Start();
    }

    public long Count => Interlocked.Read(ref _count);

    public void Dispose() => _listener.Dispose();
}
