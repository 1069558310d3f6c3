using EfScaling.Replication.ChangeStream;

namespace EfScaling.Tests.Replication.ChangeStream;

public sealed class ChangeHandoverTests
{
    private static readonly CommittedChanges _changes = CommittedChanges.Everything;

    [Fact]
    public async Task Disposing_cancels_the_call_under_way_and_waits_for_its_end()
    {
        var release = new TaskCompletionSource();
        var cancelled = new TaskCompletionSource();
        var handover = new ChangeHandover(
            async (_, token) =>
            {
                await using var registration = token.Register(cancelled.SetResult);
                await release.Task;
            },
            CancellationToken.None);
        var call = handover.GiveAsync(_changes);

        var disposing = handover.DisposeAsync().AsTask();
        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.False(disposing.IsCompleted);
        release.SetResult();

        await disposing.WaitAsync(TimeSpan.FromSeconds(10));
        await call;
    }

    [Fact]
    public async Task After_disposing_the_consumer_is_not_called()
    {
        var calls = 0;
        var handover = new ChangeHandover(
            (_, _) =>
            {
                calls++;
                return ValueTask.CompletedTask;
            },
            CancellationToken.None);
        await handover.GiveAsync(_changes);
        await handover.DisposeAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => handover.GiveAsync(_changes));
        Assert.Equal(1, calls);
    }
}
