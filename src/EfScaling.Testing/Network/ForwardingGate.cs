namespace EfScaling.Testing.Network;

/// <summary>Holds up whoever wants to pass while it is closed. Thread-safe; open at first.</summary>
internal sealed class ForwardingGate
{
    private readonly Lock _lock = new();
    private TaskCompletionSource _open = Opened();

    public void Open()
    {
        lock (_lock)
        {
            _open.TrySetResult();
        }
    }

    public void Close()
    {
        lock (_lock)
        {
            if (_open.Task.IsCompleted)
            {
                _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    /// <summary>Completes when the gate is open at the moment of asking again.</summary>
    public async Task PassAsync(CancellationToken cancellationToken)
    {
        while (Present() is { IsCompleted: false } closed)
        {
            await closed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private Task Present()
    {
        lock (_lock)
        {
            return _open.Task;
        }
    }

    private static TaskCompletionSource Opened()
    {
        var source = new TaskCompletionSource();
        source.SetResult();
        return source;
    }
}
