using EfScaling.Consistency;
using EfScaling.Replication;

namespace EfScaling.Tests.Replication;

public sealed class CatchUpTests
{
    private readonly ManualClock _clock = new();

    [Fact]
    public void Waits_longer_each_time_and_ends_with_the_limit()
    {
        var catchUp = CatchUp(wait: 50);
        var since = _clock.Now;
        var pauses = new List<double>();
        for (var round = 1; catchUp.Pause(since, round, _clock.Now) is { } pause; round++)
        {
            pauses.Add(pause.TotalMilliseconds);
            _clock.Advance(pause);
        }

        Assert.Equal([2, 4, 8, 16, 16, 4], pauses);
    }

    [Fact]
    public void Does_not_wait_without_a_limit_to_wait_for() => Assert.Null(CatchUp(wait: 0).Pause(_clock.Now, 1, _clock.Now));

    [Fact]
    public void After_a_wait_in_vain_nobody_waits_until_the_replicas_have_been_measured_again()
    {
        var catchUp = CatchUp(wait: 30);
        var since = _clock.Now;
        Assert.Null(catchUp.Pause(since, 7, _clock.Advance(30.Milliseconds())));

        _clock.Advance(249.Milliseconds());
        Assert.Null(catchUp.Pause(_clock.Now, 1, _clock.Now));
        _clock.Advance(1.Milliseconds());
        Assert.NotNull(catchUp.Pause(_clock.Now, 1, _clock.Now));
    }

    private CatchUp CatchUp(int wait) => new(new ReplicaOptions { CatchUpWait = wait.Milliseconds(), ProbeInterval = 250.Milliseconds() }, _clock);
}
