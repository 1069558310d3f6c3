using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>Leaves a store alone that has failed several times in a row, and then tries it with one call at a time.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class StoreCircuit(int failures, TimeSpan pause, TimeProvider clock)
{
    private readonly Lock _lock = new();
    private int _failed;
    private Moment _leftAloneUntil = Moment.Never;
    private string? _reason;

    /// <summary>Gets why the store is left alone; <see langword="null"/> while it may be asked.</summary>
    public string? Outage
    {
        get
        {
            lock (_lock)
            {
                return _failed >= failures && Moment.Now(clock) < _leftAloneUntil ? _reason : null;
            }
        }
    }

    /// <summary>Asks whether the store may be asked.</summary>
    /// <param name="outage">Why it may not.</param>
    public bool MayAsk(out string outage)
    {
        lock (_lock)
        {
            outage = _reason ?? string.Empty;
            if (_failed < failures)
            {
                return true;
            }

            var now = Moment.Now(clock);
            if (now < _leftAloneUntil)
            {
                return false;
            }

            // This call finds out; the others wait for what it finds.
            _leftAloneUntil = now.Plus(pause, clock);
            return true;
        }
    }

    /// <summary>Notes that the store answered.</summary>
    public void Answered()
    {
        lock (_lock)
        {
            _failed = 0;
            _reason = null;
        }
    }

    /// <summary>Notes that the store did not answer.</summary>
    /// <param name="reason">Why, without secrets.</param>
    public void Failed(string reason)
    {
        lock (_lock)
        {
            _failed = Math.Min(_failed + 1, failures);
            _reason = reason;
            if (_failed == failures)
            {
                _leftAloneUntil = Moment.Now(clock).Plus(pause, clock);
            }
        }
    }
}
