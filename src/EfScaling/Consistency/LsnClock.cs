namespace EfScaling.Consistency;

/// <summary>Tells from a replica's replay position until which moment everything committed is visible on it.</summary>
/// <remarks>
/// <para>
/// The clock keeps pairs (moment a probe of the primary was sent, position the primary answered). Whatever was acknowledged before that moment has a
/// commit record at or below that position; a replica that has replayed the position therefore shows all of it. The bound is exact to the probe
/// period plus a round trip, right on an idle primary, and independent of the clocks of all servers.
/// </para>
/// <para>Not thread-safe: the monitor uses it under its lock.</para>
/// </remarks>
internal sealed class LsnClock(int capacity)
{
    private readonly (Moment SentAt, WalPosition Position)[] _samples = new (Moment, WalPosition)[capacity];
    private int _count;
    private int _next;

    /// <summary>Remembers what the primary answered; the oldest sample makes room when the clock is full.</summary>
    /// <param name="sentAt">When the probe was sent, not when its answer came: the answer may be older than its arrival.</param>
    /// <param name="position">The primary's normalised insert position.</param>
    public void Record(Moment sentAt, WalPosition position)
    {
        if (_count > 0 && sentAt < _samples[(_next - 1 + capacity) % capacity].SentAt)
        {
            // Overtaken by a question that was asked later.
            return;
        }

        _samples[_next] = (sentAt, position);
        _next = (_next + 1) % capacity;
        _count = Math.Min(_count + 1, capacity);
    }

    /// <summary>Forgets everything; positions of another timeline do not compare.</summary>
    public void Clear()
    {
        _count = 0;
        _next = 0;
    }

    /// <summary>Returns until when a replica at <paramref name="replayed"/> shows everything; <see cref="Moment.Never"/> if no sample proves anything.</summary>
    public Moment VisibleThrough(WalPosition replayed)
    {
        for (var back = 1; back <= _count; back++)
        {
            var (sentAt, position) = _samples[(_next - back + capacity) % capacity];
            if (position <= replayed)
            {
                return sentAt;
            }
        }

        return Moment.Never;
    }

    /// <summary>Returns the lowest known position at or above everything that was committed before a moment.</summary>
    /// <returns>The position and when it was asked for; <see langword="null"/> if no sample is as young.</returns>
    public (Moment SentAt, WalPosition Position)? PositionSince(Moment moment)
    {
        (Moment SentAt, WalPosition Position)? found = null;
        for (var back = 1; back <= _count; back++)
        {
            var sample = _samples[(_next - back + capacity) % capacity];
            if (sample.SentAt < moment)
            {
                break;
            }

            found = sample;
        }

        return found;
    }
}
