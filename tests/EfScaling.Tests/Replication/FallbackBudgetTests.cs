using EfScaling.Replication;

namespace EfScaling.Tests.Replication;

public sealed class FallbackBudgetTests
{
    private readonly ManualClock _clock = new();

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(1_000)]
    public void Lets_a_burst_of_one_second_through_at_once(int readsPerSecond)
    {
        var budget = new FallbackBudget(readsPerSecond, _clock);

        Assert.Equal(readsPerSecond, Take(budget, readsPerSecond + 5, TimeSpan.Zero).Count);
    }

    [Fact]
    public void Refills_at_its_rate()
    {
        var budget = new FallbackBudget(10, _clock);
        Take(budget, 10, TimeSpan.Zero);
        _clock.Advance(300.Milliseconds());

        Assert.Equal(3, Take(budget, 10, TimeSpan.Zero).Count);
    }

    [Fact]
    public void Saves_no_more_than_one_second_of_quiet()
    {
        var budget = new FallbackBudget(10, _clock);
        Take(budget, 10, TimeSpan.Zero);
        _clock.Advance(1.Seconds() * 3_600);

        Assert.Equal(10, Take(budget, 100, TimeSpan.Zero).Count);
    }

    [Fact]
    public void Lets_waiting_reads_go_in_the_order_they_came()
    {
        var budget = new FallbackBudget(10, _clock);
        Take(budget, 10, TimeSpan.Zero);

        var waits = Take(budget, 20, 1.Seconds());

        Assert.Equal(Enumerable.Range(1, 10).Select(turn => 100.0 * turn), waits.Select(w => Math.Round(w.TotalMilliseconds, 3)));
    }

    [Fact]
    public void Counts_the_turn_of_a_waiting_read_from_the_present_moment()
    {
        var budget = new FallbackBudget(10, _clock);
        Take(budget, 10, TimeSpan.Zero);
        _clock.Advance(50.Milliseconds());

        Assert.Equal(50, Assert.Single(Take(budget, 1, 1.Seconds())).TotalMilliseconds, 3);
    }

    [Fact]
    public void A_refused_read_takes_nothing_from_the_budget()
    {
        var budget = new FallbackBudget(10, _clock);
        Take(budget, 10, TimeSpan.Zero);
        Assert.Empty(Take(budget, 1_000, 50.Milliseconds()));

        Assert.Equal(100, Assert.Single(Take(budget, 1, 1.Seconds())).TotalMilliseconds, 3);
    }

    [Fact]
    public void Keeps_the_rate_in_the_long_run()
    {
        var budget = new FallbackBudget(10, _clock);
        var taken = 0;
        for (var step = 0; step < 1_000; step++)
        {
            taken += Take(budget, 3, TimeSpan.Zero).Count;
            _clock.Advance(10.Milliseconds());
        }

        // Ten seconds and the burst it began with; the last token may be a rounding short.
        Assert.InRange(taken, 108, 110);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Zero_sends_no_read_to_the_primary(int waitSeconds)
    {
        var budget = new FallbackBudget(0, _clock);

        Assert.False(budget.TryTake(_clock.Now, waitSeconds.Seconds(), out var wait));
        Assert.Equal(TimeSpan.Zero, wait);
    }

    [Fact]
    public void Unlimited_never_waits()
    {
        var budget = new FallbackBudget(ReplicaOptions.UnlimitedFallback, _clock);

        Assert.All(Take(budget, 100_000, TimeSpan.Zero), wait => Assert.Equal(TimeSpan.Zero, wait));
        Assert.Equal(100_000, Take(budget, 100_000, TimeSpan.Zero).Count);
    }

    private List<TimeSpan> Take(FallbackBudget budget, int reads, TimeSpan longestWait)
    {
        var waits = new List<TimeSpan>();
        for (var read = 0; read < reads; read++)
        {
            if (budget.TryTake(_clock.Now, longestWait, out var wait))
            {
                waits.Add(wait);
            }
        }

        return waits;
    }
}
