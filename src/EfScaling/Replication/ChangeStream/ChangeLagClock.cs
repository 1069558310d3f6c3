using EfScaling.Consistency;

namespace EfScaling.Replication.ChangeStream;

/// <summary>Turns ends of the log, each seen at a moment, into a time that the consumer is behind.</summary>
/// <remarks>
/// Not thread-safe. No server clock takes part: what was written between two looks at the log is as old as the earlier look, so a long idle time is no lag
/// and the bound is exact to the pause between two looks.
/// </remarks>
internal sealed class ChangeLagClock(TimeProvider clock)
{
    private const int MaxSamples = 1_000;

    private readonly List<(Moment Before, WalPosition End)> _unreached = [];
    private Moment _lastLook = Moment.Never;

    /// <summary>Notes where the log ends.</summary>
    /// <param name="askedAt">When the question was sent.</param>
    /// <param name="end">The end of the log.</param>
    public void Observe(Moment askedAt, WalPosition end)
    {
        // What is beyond the previous end was written after that look.
        if (_unreached.Count < MaxSamples)
        {
            _unreached.Add((_lastLook == Moment.Never ? askedAt : _lastLook, end));
        }
        else
        {
            // Both as one, with the earlier moment: the bound may grow, never shrink.
            _unreached[^1] = _unreached[^1] with { End = end };
        }

        _lastLook = askedAt;
    }

    /// <summary>Returns how long ago the oldest change may have been written that lies beyond <paramref name="confirmed"/>.</summary>
    public TimeSpan Behind(WalPosition confirmed, Moment now)
    {
        _unreached.RemoveRange(0, _unreached.TakeWhile(sample => sample.End <= confirmed).Count());
        return _unreached is [var oldest, ..] ? oldest.Before.Until(now, clock) : TimeSpan.Zero;
    }
}
