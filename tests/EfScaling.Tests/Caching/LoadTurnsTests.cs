using EfScaling.Caching;

namespace EfScaling.Tests.Caching;

public sealed class LoadTurnsTests
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(20);

    private readonly ManualClock _clock = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Beyond_the_limit_nobody_has_a_turn_until_one_is_given_back(bool isAsync)
    {
        var turns = new LoadTurns(2, _patience, _clock);
        var (first, second) = (turns.Take(), await turns.TakeAsync(CancellationToken.None));
        var third = Task.Run(async () => isAsync ? await turns.TakeAsync(CancellationToken.None) : turns.Take());
        Assert.True(first!.IsHeld && second!.IsHeld);
        Assert.False(third.IsCompleted);

        first.Dispose();

        using var turn = await third;
        Assert.True(turn!.IsHeld);
        Assert.False(first.IsHeld);
    }

    [Fact]
    public async Task Who_has_waited_long_enough_goes_without()
    {
        var turns = new LoadTurns(1, TimeSpan.FromMilliseconds(1), _clock);
        var turn = turns.Take();
        Assert.Null(turns.Take());
        Assert.Null(await turns.TakeAsync(CancellationToken.None));

        turn!.Dispose();
        Assert.NotNull(turns.Take());
    }

    [Fact]
    public async Task Who_is_cancelled_while_it_waits_has_taken_no_turn()
    {
        var turns = new LoadTurns(1, _patience, _clock);
        var turn = turns.Take();
        using var cancellation = new CancellationTokenSource();
        var waiting = turns.TakeAsync(cancellation.Token).AsTask();
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);

        turn!.Dispose();
        Assert.NotNull(await turns.TakeAsync(CancellationToken.None));
    }

    [Fact]
    public void A_turn_that_is_given_back_twice_is_one()
    {
        var turns = new LoadTurns(1, TimeSpan.FromMilliseconds(1), _clock);
        var turn = turns.Take();
        turn!.Dispose();
        turn.Dispose();
        Assert.NotNull(turns.Take());
        turn.Dispose();
        Assert.Null(turns.Take());
    }

    [Fact]
    public async Task A_turn_that_was_abandoned_is_taken_away_in_time()
    {
        var turns = new LoadTurns(1, TimeSpan.FromMilliseconds(1), _clock);
        var abandoned = turns.Take();
        _clock.Advance(TimeSpan.FromSeconds(29));
        Assert.Null(turns.Take());
        _clock.Advance(TimeSpan.FromSeconds(1));

        Assert.NotNull(await turns.TakeAsync(CancellationToken.None));
        Assert.False(abandoned!.IsHeld);
        abandoned.Dispose();
        Assert.Null(turns.Take());
    }

    [Fact]
    public void The_turn_of_a_load_inside_another_one_ends_nothing()
    {
        LoadTurn.OfContext.Dispose();
        Assert.False(LoadTurn.OfContext.IsHeld);
    }
}
