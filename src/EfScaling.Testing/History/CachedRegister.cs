using EfScaling.Caching;

namespace EfScaling.Testing.History;

/// <summary>Tells of one register what a result from a cache must show.</summary>
internal sealed class CachedRegister(IReadOnlyList<HistoryEvent> acknowledged, Publications publications)
{
    private readonly Dictionary<int, (HighWater Own, HighWater Others)> _caches = [];

    /// <summary>Returns a write that a result lacks; <see langword="null"/> if it lacks none that it must show.</summary>
    public HistoryEvent? MissedBy(HistoryEvent hit)
    {
        if (!_caches.TryGetValue(hit.Cache, out var writes))
        {
            writes = (
                new HighWater(acknowledged.Where(w => w.Cache == hit.Cache)),
                new HighWater(acknowledged.Where(w => w.Cache != hit.Cache).Select(publications.ForOthers)));
            _caches.Add(hit.Cache, writes);
        }

        var delay = hit.Routing?.Cache?.Outcome == CacheOutcome.LocalHit ? publications.Report : TimeSpan.Zero;
        return Above(writes.Own.At(hit.Started)) ?? Above(writes.Others.At(hit.Started - delay));

        HistoryEvent? Above(HistoryEvent? write) => write?.Value > hit.Value ? write : null;
    }
}
