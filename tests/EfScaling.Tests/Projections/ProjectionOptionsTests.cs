using EfScaling.Projections;

namespace EfScaling.Tests.Projections;

public sealed class ProjectionOptionsTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(4, 8)]
    [InlineData(6, 32)]
    [InlineData(7, 60)]
    [InlineData(1000, 60)]
    [InlineData(int.MaxValue, 60)]
    public void Pauses_double_up_to_the_longest(int attempts, int seconds) =>
        Assert.Equal(seconds.Seconds(), new ProjectionOptions { Name = "p" }.RetryDelay(attempts));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(7, 7)]
    [InlineData(3600, 60)]
    public void Pauses_of_an_outage_are_as_long_as_the_key_has_waited(int age, int seconds) =>
        Assert.Equal(seconds.Seconds(), new ProjectionOptions { Name = "p" }.OutageDelay(age.Seconds()));

    [Fact]
    public void First_pause_is_no_longer_than_the_longest() =>
        Assert.Equal(2.Seconds(), new ProjectionOptions { Name = "p", FirstRetryDelay = 5.Seconds(), LongestRetryDelay = 2.Seconds() }.RetryDelay(1));
}
