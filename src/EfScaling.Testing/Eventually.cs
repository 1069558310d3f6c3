namespace EfScaling.Testing;

/// <summary>Waits for a condition with a deadline, so that a test needs no fixed pauses.</summary>
/// <remarks>Stateless and thread-safe. Time is monotonic: a changed system clock neither shortens nor lengthens a wait.</remarks>
public static class Eventually
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);

    /// <summary>Completes when <paramref name="condition"/> returns <see langword="true"/>, asking again about every 10 ms.</summary>
    /// <param name="condition">Question to repeat. Runs at least once; an exception from it ends the wait and is passed on.</param>
    /// <param name="deadline">How long to ask. Zero asks once.</param>
    /// <param name="what">What is awaited, for the error message; for example <c>"the replica to catch up"</c>.</param>
    /// <param name="cancellationToken">Ends the wait early.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="deadline"/> is negative.</exception>
    /// <exception cref="TimeoutException">The condition did not hold before the deadline; the message contains <paramref name="what"/>.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    /// <remarks>The deadline is read between two questions: a question that never returns is not interrupted.</remarks>
    public static async Task ThatAsync(
        Func<Task<bool>> condition, TimeSpan deadline, string what, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(condition);
        ArgumentOutOfRangeException.ThrowIfLessThan(deadline, TimeSpan.Zero);

        var end = Deadline.After(deadline);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();

            // Read before asking, so that the last question always falls at or after the end of the wait.
            var last = end.HasPassed;
            if (await condition().ConfigureAwait(false))
            {
                return;
            }

            if (last)
            {
                throw new TimeoutException($"Waited {deadline} for {what}.");
            }

            await Task.Delay(Interval, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Completes when <paramref name="condition"/> returns <see langword="true"/>, asking again about every 10 ms.</summary>
    /// <inheritdoc cref="ThatAsync(Func{Task{bool}}, TimeSpan, string, CancellationToken)"/>
    public static Task ThatAsync(Func<bool> condition, TimeSpan deadline, string what, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(condition);

        return ThatAsync(() => Task.FromResult(condition()), deadline, what, cancellationToken);
    }
}
