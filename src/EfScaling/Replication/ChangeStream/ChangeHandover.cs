namespace EfScaling.Replication.ChangeStream;

/// <summary>Calls the consumer for one connection, one call at a time and none after it is disposed.</summary>
/// <remarks>A connection that hangs is left to itself; what it may still receive must not meet the calls of the next one.</remarks>
internal sealed class ChangeHandover : IAsyncDisposable
{
    private readonly Func<CommittedChanges, CancellationToken, ValueTask> _consumer;
    private readonly CancellationTokenSource _end;
    private readonly CancellationToken _ended;
    private readonly SemaphoreSlim _turn = new(1, 1);

    public ChangeHandover(Func<CommittedChanges, CancellationToken, ValueTask> consumer, CancellationToken cancellationToken)
    {
        _consumer = consumer;
        _end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _ended = _end.Token;
    }

    /// <summary>Calls the consumer.</summary>
    /// <exception cref="OperationCanceledException">No more calls are made.</exception>
    public async Task GiveAsync(CommittedChanges changes)
    {
        await _turn.WaitAsync(_ended).ConfigureAwait(false);
        try
        {
            _ended.ThrowIfCancellationRequested();
            await _consumer(changes, _ended).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Cancels the call under way and completes when it has ended.</summary>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync().ConfigureAwait(false);
        await _turn.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        _end.Dispose();
    }
}
