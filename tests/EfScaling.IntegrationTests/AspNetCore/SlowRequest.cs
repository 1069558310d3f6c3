namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>Holds one request between its read and its response until the test lets it go.</summary>
public sealed class SlowRequest
{
    private readonly TaskCompletionSource _hasRead = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _mayEnd = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Gets what completes when the request has read.</summary>
    public Task HasRead => _hasRead.Task;

    public void End() => _mayEnd.TrySetResult();

    public Task WaitAsync()
    {
        _hasRead.TrySetResult();
        return _mayEnd.Task;
    }
}
