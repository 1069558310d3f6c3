using EfScaling.Replication;

namespace EfScaling.Tests.Replication;

public sealed class NodeBanTests
{
    private readonly ManualClock _clock = new();

    [Fact]
    public void A_node_in_good_standing_has_no_ban() => Assert.False(NodeBan.None.IsActive);

    [Fact]
    public void Doubles_with_each_failure_up_to_half_a_minute()
    {
        double[] expected = [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30];
        var ban = NodeBan.None;
        for (var failure = 0; failure < expected.Length; failure++)
        {
            ban = ban.After(_clock.Now, _clock);

            Assert.True(ban.IsActive);
            Assert.Equal(failure + 1, ban.Failures);
            Assert.Equal(expected[failure].Seconds(), _clock.Now.Until(ban.Until, _clock));
            _clock.Advance(expected[failure].Seconds());
        }
    }

    [Fact]
    public void Never_grows_beyond_half_a_minute_however_often_a_node_fails()
    {
        var ban = new NodeBan(1_000_000, _clock.Now).After(_clock.Now, _clock);

        Assert.Equal(30.Seconds(), _clock.Now.Until(ban.Until, _clock));
    }

    [Fact]
    public void Failures_of_reads_that_were_under_way_together_count_once()
    {
        var ban = NodeBan.None.After(_clock.Now, _clock);
        _clock.Advance(499.Milliseconds());

        Assert.Equal(ban, ban.After(_clock.Now, _clock));

        _clock.Advance(1.Milliseconds());
        Assert.Equal(2, ban.After(_clock.Now, _clock).Failures);
    }
}
