namespace EfScaling.Caching;

/// <summary>Whether the results of one query are used before writes make them old.</summary>
/// <remarks>
/// <para>
/// Each use of a result that was kept earns one, and each result that takes the place of one which a write made old costs one. With less than one use a
/// result the balance runs out, whatever was saved up before. It costs nothing to be new: only a result that has grown old unused counts against its query.
/// </para>
/// <para>Thread-safe. Entries of threads that meet may be lost, which decides nothing.</para>
/// </remarks>
internal sealed class FillBalance(TimeProvider clock)
{
    /// <summary>What a query can save up at most, and begins with.</summary>
    public const int Most = 32;

    /// <summary>What a query whose balance ran out must earn before all its results are kept again.</summary>
    public const int Recovery = 4;

    /// <summary>How often a query whose balance ran out has a result kept all the same: other processes may use it.</summary>
    public static readonly TimeSpan ProbePause = TimeSpan.FromSeconds(10);

    private volatile int _balance = Most;
    private volatile bool _isOut;
    private long _probedAt;

    /// <summary>Gets whether results are made old faster than they are used.</summary>
    public bool IsOut => _isOut;

    /// <summary>Notes that a result was used.</summary>
    public void Earn()
    {
        // Mostly nothing is left to be saved up, and nothing is written that other threads would have to fetch.
        var balance = _balance;
        if (balance == Most)
        {
            return;
        }

        if (!_isOut || balance + 1 < Recovery)
        {
            _balance = balance + 1;
            return;
        }

        _balance = Most;
        _isOut = false;
    }

    /// <summary>Notes that a result is loaded because a write made the one before it old.</summary>
    public void Spend()
    {
        var balance = Math.Max(_balance - 1, 0);
        _balance = balance;
        if (balance == 0 && !_isOut)
        {
            Volatile.Write(ref _probedAt, clock.GetTimestamp());
            _isOut = true;
        }
    }

    /// <summary>Returns whether a result is to be kept all the same; <see langword="true"/> for one caller in each pause.</summary>
    public bool TryProbe()
    {
        var (last, now) = (Volatile.Read(ref _probedAt), clock.GetTimestamp());
        return clock.GetElapsedTime(last, now) >= ProbePause && Interlocked.CompareExchange(ref _probedAt, now, last) == last;
    }
}
