using EfScaling.Sample.Load;

namespace EfScaling.Tests.Sample;

public class DistributionTests
{
    [Fact]
    public void Knows_percentiles_to_two_percent_and_the_maximum_exactly()
    {
        var distribution = new Distribution();
        for (var i = 1; i <= 1_000; i++)
        {
            distribution.Add(TimeSpan.FromMilliseconds(i));
        }

        Assert.Equal(1_000, distribution.Count);
        Assert.InRange(distribution.Percentile(0.50)!.Value.TotalMilliseconds, 500, 510);
        Assert.InRange(distribution.Percentile(0.99)!.Value.TotalMilliseconds, 990, 1_000);
        Assert.Equal(TimeSpan.FromMilliseconds(1_000), distribution.Max);
    }

    [Fact]
    public void Has_no_percentile_of_nothing()
    {
        Assert.Null(new Distribution().Percentile(0.50));
        Assert.Null(new Distribution().Max);
    }

    [Fact]
    public void Counts_times_beyond_its_range_in_its_outermost_buckets()
    {
        var distribution = new Distribution();
        distribution.Add(TimeSpan.Zero);
        distribution.Add(TimeSpan.FromDays(30));

        Assert.Equal(TimeSpan.Zero, distribution.Percentile(0.50));
        Assert.Equal(TimeSpan.FromDays(30), distribution.Max);
    }
}
