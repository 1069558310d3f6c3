using EfScaling.Sharding;

namespace EfScaling.Tests.Sharding;

public sealed class ScatterGateTests
{
    [Fact]
    public async Task Turns_are_given_up_to_the_limits_of_each_shard_and_of_all_and_no_further()
    {
        var gate = new ScatterGate(new ScatterBudget { MaxConcurrencyPerShard = 2, MaxConcurrency = 3 });
        var first = await gate.EnterAsync("north", CancellationToken.None);
        var second = gate.Enter("north");
        var third = gate.EnterAsync("north", CancellationToken.None).AsTask();
        Assert.False(third.IsCompleted);
        var east = gate.EnterAsync("east", CancellationToken.None);
        Assert.True(east.IsCompletedSuccessfully);
        var south = gate.EnterAsync("south", CancellationToken.None).AsTask();
        Assert.False(south.IsCompleted);

        (await east).Dispose();
        (await south).Dispose();
        first.Dispose();
        (await third).Dispose();
        second.Dispose();
    }

    [Fact]
    public async Task Who_stops_waiting_keeps_no_turn()
    {
        var gate = new ScatterGate(new ScatterBudget { MaxConcurrencyPerShard = 1, MaxConcurrency = 1 });
        using var cancel = new CancellationTokenSource();
        var held = gate.Enter("north");
        var waiting = gate.EnterAsync("east", cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        held.Dispose();

        var east = gate.EnterAsync("east", CancellationToken.None);
        Assert.True(east.IsCompletedSuccessfully);
        (await east).Dispose();
    }
}
