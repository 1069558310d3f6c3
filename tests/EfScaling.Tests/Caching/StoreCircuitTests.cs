using EfScaling.Caching;

namespace EfScaling.Tests.Caching;

public sealed class StoreCircuitTests
{
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(2);

    private readonly ManualClock _clock = new();
    private readonly StoreCircuit _circuit;

    public StoreCircuitTests() => _circuit = new StoreCircuit(3, _pause, _clock);

    [Fact]
    public void Failures_that_an_answer_interrupts_change_nothing()
    {
        for (var i = 0; i < 10; i++)
        {
            Fail(2);
            _circuit.Answered();
        }

        Assert.True(_circuit.MayAsk(out _));
        Assert.Null(_circuit.Outage);
    }

    [Fact]
    public void After_failures_in_a_row_nobody_asks_and_the_last_reason_is_given()
    {
        Fail(3);

        Assert.False(_circuit.MayAsk(out var outage));
        Assert.Equal("reason 2", outage);
        Assert.Equal("reason 2", _circuit.Outage);
    }

    [Fact]
    public void After_the_pause_one_asks_for_all()
    {
        Fail(3);
        _clock.Advance(_pause);

        Assert.Null(_circuit.Outage);
        Assert.True(_circuit.MayAsk(out _));
        Assert.False(_circuit.MayAsk(out _));
        Assert.NotNull(_circuit.Outage);
    }

    [Fact]
    public void An_answer_lets_all_ask_again()
    {
        Fail(3);
        _clock.Advance(_pause);
        Assert.True(_circuit.MayAsk(out _));
        _circuit.Answered();

        Assert.True(_circuit.MayAsk(out _));
        Assert.True(_circuit.MayAsk(out _));
        Assert.Null(_circuit.Outage);
    }

    [Fact]
    public void One_more_failure_after_the_pause_is_enough_for_the_next()
    {
        Fail(3);
        _clock.Advance(_pause);
        Assert.True(_circuit.MayAsk(out _));
        Fail(1);

        _clock.Advance(_pause / 2);
        Assert.False(_circuit.MayAsk(out _));
        _clock.Advance(_pause / 2);
        Assert.True(_circuit.MayAsk(out _));
    }

    [Fact]
    public void One_who_never_tells_what_it_found_does_not_keep_the_others_away_for_ever()
    {
        Fail(3);
        _clock.Advance(_pause);
        Assert.True(_circuit.MayAsk(out _));
        _clock.Advance(_pause);

        Assert.True(_circuit.MayAsk(out _));
    }

    private void Fail(int times)
    {
        for (var i = 0; i < times; i++)
        {
            _circuit.Failed($"reason {i}");
        }
    }
}
