namespace EfScaling.Sample.Load;

/// <summary>Remembers which heartbeats were written and when the primary acknowledged them.</summary>
/// <remarks>Times are ticks of one monotonic clock, so that no server's clock matters. Thread-safe.</remarks>
internal sealed class HeartbeatLog
{
    // Guarded by itself; in the order of writing, which the single writer makes the order of acknowledgement, too.
    private readonly List<(long WrittenAt, long AcknowledgedAt)> _beats = [];

    /// <summary>Notes a heartbeat that the primary has committed.</summary>
    public void Acknowledge(long writtenAt, long acknowledgedAt)
    {
        lock (_beats)
        {
            _beats.Add((writtenAt, acknowledgedAt));
        }
    }

    /// <summary>Returns when the first heartbeat that a reader did not see was acknowledged; <see langword="null"/> if it saw the newest.</summary>
    /// <param name="seen">The write time of the heartbeat that the reader saw.</param>
    public long? FirstMissedBy(long seen)
    {
        lock (_beats)
        {
            // From the end: readers see one of the newest.
            var i = _beats.Count;
            while (i > 0 && _beats[i - 1].WrittenAt > seen)
            {
                i--;
            }

            return i < _beats.Count ? _beats[i].AcknowledgedAt : null;
        }
    }
}
