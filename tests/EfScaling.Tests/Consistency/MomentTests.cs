using EfScaling.Consistency;

namespace EfScaling.Tests.Consistency;

public sealed class MomentTests
{
    private readonly ManualClock _clock = new();

    [Fact]
    public void Never_lies_before_every_other_moment()
    {
        Assert.True(Moment.Never < _clock.Now && Moment.Never < new Moment(long.MinValue + 1));
        Assert.Equal(_clock.Now, Moment.Later(Moment.Never, _clock.Now));
        Assert.Equal(_clock.Now, Moment.Later(_clock.Now, Moment.Never));
    }

    [Fact]
    public void Never_is_infinitely_long_ago() => Assert.Equal(TimeSpan.MaxValue, Moment.Never.Until(_clock.Now, _clock));

    [Theory]
    [InlineData(0)]
    [InlineData(0.25)]
    [InlineData(3_600)]
    public void Measures_time_in_the_unit_of_its_clock(double seconds)
    {
        var before = _clock.Now;
        var after = _clock.Advance(seconds.Seconds());

        Assert.Equal(seconds.Seconds(), before.Until(after, _clock));
        Assert.Equal(-seconds.Seconds(), after.Until(before, _clock));
        Assert.Equal(after, before.Plus(seconds.Seconds(), _clock));
        Assert.Equal(before, after.Plus(-seconds.Seconds(), _clock));
    }

    [Fact]
    public void Orders_moments_of_one_clock()
    {
        var before = _clock.Now;
        var after = _clock.Advance(1.Milliseconds());

        Assert.True(before < after && before <= after && after > before && after >= before);
        Assert.False(after < before || after <= before || before > after || before >= after);
        Assert.True(before.CompareTo(after) < 0);
        Assert.Equal(after, Moment.Later(before, after));
        Assert.Equal(after, Moment.Later(after, before));
    }
}
