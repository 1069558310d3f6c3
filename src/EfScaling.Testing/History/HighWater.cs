namespace EfScaling.Testing.History;

/// <summary>Tells which of some events had the highest value of all that had ended by a moment.</summary>
internal sealed class HighWater
{
    private readonly HistoryEvent[] _events;
    private readonly HistoryEvent[] _highest;

    public HighWater(IEnumerable<HistoryEvent> events)
    {
        _events = [.. events.OrderBy(e => e.Ended)];
        _highest = new HistoryEvent[_events.Length];
        for (var i = 0; i < _events.Length; i++)
        {
            _highest[i] = i > 0 && _highest[i - 1].Value >= _events[i].Value ? _highest[i - 1] : _events[i];
        }
    }

    /// <summary>Returns the event; <see langword="null"/> if none had ended.</summary>
    public HistoryEvent? At(TimeSpan moment)
    {
        var (low, high) = (0, _events.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _events[middle].Ended <= moment ? (middle + 1, high) : (low, middle);
        }

        return low == 0 ? null : _highest[low - 1];
    }
}
