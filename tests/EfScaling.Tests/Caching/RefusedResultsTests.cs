using EfScaling.Caching;

namespace EfScaling.Tests.Caching;

public sealed class RefusedResultsTests
{
    private readonly ManualClock _clock = new();
    private readonly RefusedResults _refused;

    public RefusedResultsTests() => _refused = new RefusedResults(_clock);

    [Fact]
    public void A_result_is_remembered_for_its_time_and_no_other_one_is()
    {
        Assert.False(_refused.Contains(1));
        _refused.Add(1, 10.Seconds());
        Assert.True(_refused.Contains(1));
        Assert.False(_refused.Contains(2));
        _clock.Advance(11.Seconds());
        Assert.False(_refused.Contains(1));
        _refused.Add(1, 10.Seconds());
        Assert.True(_refused.Contains(1));
    }

    [Fact]
    public void Too_many_results_are_forgotten()
    {
        for (var i = 0; i <= RefusedResults.Capacity; i++)
        {
            _refused.Add((UInt128)i, 10.Seconds());
        }

        Assert.False(_refused.Contains(0));
        Assert.True(_refused.Contains(RefusedResults.Capacity));
    }
}
