using EfScaling.Caching.Rows;
using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>One load of a result that others wait for.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class Flight(Moment startedAt)
{
    private ITimer? _ending;
    private readonly TaskCompletionSource<RowSet?> _rows = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Gets when the load began.</summary>
    public Moment StartedAt => startedAt;

    /// <summary>Ends the load.</summary>
    /// <param name="rows">The result; <see langword="null"/> if there is none that others may have.</param>
    public void Land(RowSet? rows)
    {
        _rows.TrySetResult(rows);
        Volatile.Read(ref _ending)?.Dispose();
    }

    /// <summary>Ends the load after a time, unless it has ended before.</summary>
    /// <param name="limit">The time.</param>
    /// <param name="end">Ends it.</param>
    /// <param name="clock">Measures the time.</param>
    public void LandAfter(TimeSpan limit, Action end, TimeProvider clock)
    {
        var ending = clock.CreateTimer(static end => ((Action)end!)(), end, limit, Timeout.InfiniteTimeSpan);
        Volatile.Write(ref _ending, ending);
        if (_rows.Task.IsCompleted)
        {
            ending.Dispose();
        }
    }

    /// <summary>Waits for the result.</summary>
    /// <returns><see langword="null"/> if there is none, or not in time.</returns>
    public RowSet? Wait(TimeSpan limit)
    {
        // A wait of the caller's own thread: whoever lands the flight needs no other one for it.
        IAsyncResult landing = _rows.Task;
        return landing.AsyncWaitHandle.WaitOne(limit) && _rows.Task is { IsCompletedSuccessfully: true } landed ? RowsOf(landed) : null;
    }

    /// <inheritdoc cref="Wait" />
    public async ValueTask<RowSet?> WaitAsync(TimeSpan limit, TimeProvider clock, CancellationToken cancellationToken)
    {
        try
        {
            return await _rows.Task.WaitAsync(limit, clock, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return null;
        }
    }

#pragma warning disable RS0030 // The task has completed: nothing blocks.
    private static RowSet? RowsOf(Task<RowSet?> landed) => landed.Result;
#pragma warning restore RS0030
}
