namespace EfScaling.Projections;

/// <summary>Wakes the dispatcher of a projection in the process that wrote.</summary>
/// <remarks>Thread-safe. A signal between taking <see cref="Raised"/> and waiting for it is not lost.</remarks>
internal sealed class ProjectionSignal
{
    private TaskCompletionSource _raised = Create();

    /// <summary>Gets the task that completes with the next signal; to be taken before looking for work.</summary>
    public Task Raised => Volatile.Read(ref _raised).Task;

    /// <summary>Completes the task and begins the next one.</summary>
    public void Raise() => Interlocked.Exchange(ref _raised, Create()).TrySetResult();

    /// <summary>Waits until a signal comes or the time is up.</summary>
    public static async Task WaitAsync(Task raised, TimeSpan limit, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(raised, Task.Delay(limit, clock, ended.Token)).ConfigureAwait(false);
        await ended.CancelAsync().ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
    }

    // The writer must not run the dispatcher on its own thread.
    private static TaskCompletionSource Create() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
