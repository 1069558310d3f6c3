using EfScaling.Projections;

namespace EfScaling.Tests.Projections;

public sealed class ProjectionSignalTests
{
    [Fact]
    public async Task Signal_before_the_wait_is_not_lost()
    {
        var signal = new ProjectionSignal();
        var raised = signal.Raised;
        signal.Raise();

        await ProjectionSignal.WaitAsync(raised, Timeout.InfiniteTimeSpan, TimeProvider.System, CancellationToken.None).WaitAsync(30.Seconds());

        Assert.False(signal.Raised.IsCompleted);
    }

    [Fact]
    public async Task Wait_ends_when_the_time_is_up() =>
        await ProjectionSignal.WaitAsync(new ProjectionSignal().Raised, TimeSpan.FromMilliseconds(1), TimeProvider.System, CancellationToken.None).WaitAsync(30.Seconds());

    [Fact]
    public async Task Cancelled_wait_throws()
    {
        using var cancelled = new CancellationTokenSource();
        var waiting = ProjectionSignal.WaitAsync(new ProjectionSignal().Raised, Timeout.InfiniteTimeSpan, TimeProvider.System, cancelled.Token);
        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(30.Seconds()));
    }
}
