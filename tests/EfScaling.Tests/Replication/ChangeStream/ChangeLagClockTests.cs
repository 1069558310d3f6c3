using EfScaling.Consistency;
using EfScaling.Replication.ChangeStream;

namespace EfScaling.Tests.Replication.ChangeStream;

public sealed class ChangeLagClockTests
{
    private readonly ManualClock _clock = new();
    private readonly ChangeLagClock _lag;

    public ChangeLagClockTests() => _lag = new ChangeLagClock(_clock);

    [Fact]
    public void Without_a_look_at_the_log_there_is_no_lag() => Assert.Equal(TimeSpan.Zero, Behind(0));

    [Fact]
    public void An_idle_server_is_never_behind_however_old_its_last_change()
    {
        for (var i = 0; i < 10; i++)
        {
            Look(100);
            Assert.Equal(TimeSpan.Zero, Behind(100));
            _clock.Advance(TimeSpan.FromHours(1));
        }
    }

    [Fact]
    public void A_change_is_as_old_as_the_look_that_did_not_show_it()
    {
        Look(100);
        _clock.Advance(TimeSpan.FromSeconds(5));
        Look(200);
        _clock.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal(TimeSpan.FromSeconds(7), Behind(100));
        Assert.Equal(TimeSpan.FromSeconds(7), Behind(199));
        Assert.Equal(TimeSpan.Zero, Behind(200));
    }

    [Fact]
    public void The_lag_falls_as_older_changes_are_handed_on()
    {
        for (ulong end = 0; end <= 400; end += 100)
        {
            Look(end);
            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal([5, 4, 3, 2, 0], new ulong[] { 0, 100, 200, 300, 400 }.Select(confirmed => Behind(confirmed).TotalSeconds));
    }

    [Fact]
    public void A_consumer_that_stands_still_for_long_is_never_reported_nearer_than_it_is()
    {
        Look(0);
        for (ulong end = 1; end <= 5_000; end++)
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            Look(end);
        }

        Assert.Equal(TimeSpan.FromSeconds(5_000), Behind(0));
        Assert.InRange(Behind(4_999), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5_000));
        Assert.Equal(TimeSpan.Zero, Behind(5_000));
    }

    private void Look(ulong end) => _lag.Observe(Moment.Now(_clock), new WalPosition(end));

    private TimeSpan Behind(ulong confirmed) => _lag.Behind(new WalPosition(confirmed), Moment.Now(_clock));
}
