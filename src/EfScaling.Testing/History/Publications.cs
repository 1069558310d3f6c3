namespace EfScaling.Testing.History;

/// <summary>Tells from when on the caches of other processes must know of a write.</summary>
internal sealed class Publications(IEnumerable<HistoryEvent> events, CacheLimits limits)
{
    private readonly HistoryEvent[] _outages = [.. events.Where(e => e is { Operation: HistoryOperation.Fault, IsUnpublished: true }).OrderBy(e => e.Started)];

    /// <summary>Gets how long a report to a process may take.</summary>
    public TimeSpan Report => limits.Report;

    /// <summary>Returns the write as others see it: acknowledged when it must be published.</summary>
    public HistoryEvent ForOthers(HistoryEvent write)
    {
        if (!write.IsUnpublished)
        {
            return write;
        }

        var due = write.Ended + limits.Publication;
        foreach (var outage in _outages.Where(o => o.Ended >= write.Ended))
        {
            due = outage.Started <= due && outage.Ended + limits.Publication > due ? outage.Ended + limits.Publication : due;
        }

        return write with { How = $"{write.How}, due to be published", Ended = due };
    }
}
