using EfScaling.Consistency;

namespace EfScaling.Caching.Redis;

/// <summary>Decides when a server is left alone, and for how long.</summary>
/// <remarks>
/// Closed, operations are sent. Open, nothing is, until the time is up; then one probe (a new connection that answers in time) closes it again or opens it
/// for twice as long. Operations are never the probe: no caller waits for a server that is likely down. Thread-safe.
/// </remarks>
internal sealed class RedisCircuit(RedisOptions options, TimeProvider clock)
{
    private readonly Lock _gate = new();
    private Moment _probeAt = Moment.Never;
    private Moment _closedAt = Moment.Never;
    private Moment _countedAt = Moment.Never;
    private TimeSpan _openTime = TimeSpan.Zero;
    private volatile int _failures;
    private bool _isClosed;

    /// <summary>Gets how long the server is still left alone; zero when the probe is due.</summary>
    public TimeSpan UntilProbe
    {
        get
        {
            lock (_gate)
            {
                var left = Moment.Now(clock).Until(_probeAt, clock);
                return _probeAt == Moment.Never || left < TimeSpan.Zero ? TimeSpan.Zero : left;
            }
        }
    }

    /// <summary>Notes an operation that was answered in time.</summary>
    public void Answered()
    {
        if (_failures != 0)
        {
            _failures = 0;
        }
    }

    /// <summary>Notes an operation that was not.</summary>
    /// <param name="sent">When it was sent.</param>
    /// <returns>Whether the server is to be left alone now.</returns>
    public bool TimedOut(Moment sent)
    {
        lock (_gate)
        {
            // Those that waited together are one failure: one pause of the server, or one packet sent again, holds up all of them.
            if (sent < _countedAt)
            {
                return false;
            }

            _countedAt = Moment.Now(clock);
            _failures++;
            return _failures >= options.FailuresToOpen;
        }
    }

    /// <summary>Notes that the probe succeeded.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _failures = 0;
            _countedAt = _closedAt = Moment.Now(clock);
            _isClosed = true;
        }
    }

    /// <summary>Leaves the server alone.</summary>
    /// <param name="atOnce">Whether the first probe is due at once: the server closed the connection, as one that restarts does.</param>
    public void Open(bool atOnce)
    {
        lock (_gate)
        {
            var now = Moment.Now(clock);

            // Short lives between failures do not start the times anew: a server that answers once and hangs again is still failing.
            var wasSound = _isClosed && _closedAt.Until(now, clock) >= options.MaxOpenTime;
            _isClosed = false;
            if (wasSound)
            {
                _openTime = TimeSpan.Zero;
            }

            if (wasSound && atOnce)
            {
                _probeAt = now;
                return;
            }

            _openTime = _openTime == TimeSpan.Zero ? options.OpenTime : _openTime * 2;
            _openTime = _openTime > options.MaxOpenTime ? options.MaxOpenTime : _openTime;
            _probeAt = now.Plus(_openTime, clock);
        }
    }
}
