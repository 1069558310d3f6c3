// A semaphore whose wait handle nobody asks for has nothing to dispose of, and turns are given back whenever their readers end.
#pragma warning disable CA1001

using System.Collections.Concurrent;
using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>Bounds how many contexts load results from one database at a time.</summary>
/// <param name="most">How many; at least 1.</param>
/// <param name="patience">How long a reader waits for its turn.</param>
/// <param name="clock">Tells how long turns have been held.</param>
/// <remarks>
/// <para>
/// Many results that grow old together, or a store that was emptied, would otherwise send as many queries at once as there are requests, which is when the
/// database has least to spare. A context has one turn at most, whatever it loads meanwhile, so that none waits while it keeps others waiting.
/// </para>
/// <para>Thread-safe.</para>
/// </remarks>
internal sealed class LoadTurns(int most, TimeSpan patience, TimeProvider clock)
{
    /// <summary>How long a reader waits for its turn before it reads without.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    // A context that was abandoned without being disposed never gives its turn back.
    private static readonly TimeSpan _longest = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _free = new(most);
    private readonly ConcurrentDictionary<LoadTurn, bool> _held = new();

    /// <summary>Waits for a turn.</summary>
    /// <returns><see langword="null"/> if there was none in time.</returns>
    public LoadTurn? Take() => IsOneFree() || _free.Wait(patience) ? Begin() : null;

    /// <inheritdoc cref="Take" />
    public async ValueTask<LoadTurn?> TakeAsync(CancellationToken cancellationToken) =>
        IsOneFree() || await _free.WaitAsync(patience, cancellationToken).ConfigureAwait(false) ? Begin() : null;

    /// <summary>Returns whether a turn was neither given back nor taken away.</summary>
    public bool IsHeld(LoadTurn turn) => _held.ContainsKey(turn);

    /// <summary>Takes a turn back, unless that was done before.</summary>
    public void Return(LoadTurn turn)
    {
        if (_held.TryRemove(turn, out _))
        {
            _free.Release();
        }
    }

    private bool IsOneFree()
    {
        if (_free.Wait(TimeSpan.Zero))
        {
            return true;
        }

        var now = Moment.Now(clock);
        foreach (var (turn, _) in _held)
        {
            if (turn.TakenAt.Until(now, clock) >= _longest)
            {
                Return(turn);
            }
        }

        return _free.Wait(TimeSpan.Zero);
    }

    private LoadTurn Begin()
    {
        var turn = new LoadTurn(this, Moment.Now(clock));
        _held[turn] = true;
        return turn;
    }
}
