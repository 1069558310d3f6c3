using EfScaling.Caching.Redis;

namespace EfScaling.Tests.Caching.Redis;

public sealed class RedisCircuitTests
{
    private static readonly TimeSpan _millisecond = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan _second = TimeSpan.FromSeconds(1);

    private readonly ManualClock _clock = new();
    private readonly RedisCircuit _circuit;

    public RedisCircuitTests() => _circuit = new RedisCircuit(new RedisOptions { Endpoints = [new("redis", 6379)], FailuresToOpen = 2 }, _clock);

    [Fact]
    public void The_first_connection_is_made_at_once() => Assert.Equal(TimeSpan.Zero, _circuit.UntilProbe);

    [Fact]
    public void Operations_that_wait_together_are_one_failure()
    {
        _circuit.Close();
        var sent = _clock.Advance(_millisecond);
        _clock.Advance(_millisecond * 50);

        Assert.All(Enumerable.Range(0, 32), _ => Assert.False(_circuit.TimedOut(sent)));

        var later = _clock.Advance(_millisecond);
        _clock.Advance(_millisecond * 50);
        Assert.True(_circuit.TimedOut(later));
    }

    [Fact]
    public void An_answer_in_time_forgives_former_failures()
    {
        _circuit.Close();
        Assert.False(FailOne());
        _circuit.Answered();
        Assert.False(FailOne());
        Assert.True(FailOne());
    }

    [Fact]
    public void What_was_sent_over_the_former_connection_does_not_count()
    {
        _circuit.Close();
        var sent = _clock.Now;
        _clock.Advance(_second);
        _circuit.Close();

        Assert.False(_circuit.TimedOut(sent));
        Assert.False(FailOne());
    }

    [Fact]
    public void Stays_open_for_a_second_then_longer_up_to_the_limit()
    {
        double[] expected = [1, 2, 4, 5, 5];
        foreach (var seconds in expected)
        {
            _circuit.Open(atOnce: false);
            Assert.Equal(seconds, _circuit.UntilProbe.TotalSeconds, 0.001);
            _clock.Advance(_second * (seconds - 0.1));
            Assert.Equal(0.1, _circuit.UntilProbe.TotalSeconds, 0.001);
            _clock.Advance(_second);
            Assert.Equal(TimeSpan.Zero, _circuit.UntilProbe);
        }
    }

    [Fact]
    public void A_server_that_fails_again_soon_is_left_alone_for_longer()
    {
        _circuit.Open(atOnce: false);
        _clock.Advance(_second);
        _circuit.Close();
        _clock.Advance(_second);
        _circuit.Open(atOnce: true);

        Assert.Equal(2, _circuit.UntilProbe.TotalSeconds, 0.001);
    }

    [Fact]
    public void A_server_that_served_for_long_is_left_alone_as_at_first()
    {
        _circuit.Open(atOnce: false);
        _circuit.Open(atOnce: false);
        _circuit.Close();
        _clock.Advance(_second * 6);
        _circuit.Open(atOnce: false);

        Assert.Equal(1, _circuit.UntilProbe.TotalSeconds, 0.001);
    }

    [Fact]
    public void A_sound_server_that_closed_the_connection_is_asked_again_at_once_but_only_once()
    {
        _circuit.Close();
        _clock.Advance(_second * 6);

        _circuit.Open(atOnce: true);
        Assert.Equal(TimeSpan.Zero, _circuit.UntilProbe);

        _circuit.Open(atOnce: false);
        Assert.Equal(1, _circuit.UntilProbe.TotalSeconds, 0.001);
    }

    private bool FailOne()
    {
        var sent = _clock.Advance(_millisecond);
        _clock.Advance(_millisecond * 50);
        return _circuit.TimedOut(sent);
    }
}
