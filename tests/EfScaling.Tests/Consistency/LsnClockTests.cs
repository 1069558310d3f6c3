using EfScaling.Consistency;

namespace EfScaling.Tests.Consistency;

public sealed class LsnClockTests
{
    private readonly ManualClock _clock = new();

    [Fact]
    public void Proves_nothing_before_the_first_sample() => Assert.Equal(Moment.Never, new LsnClock(4).VisibleThrough(new WalPosition(ulong.MaxValue)));

    [Fact]
    public void Proves_nothing_about_a_replica_behind_every_sample()
    {
        var lsnClock = new LsnClock(4);
        lsnClock.Record(_clock.Now, new WalPosition(100));

        Assert.Equal(Moment.Never, lsnClock.VisibleThrough(new WalPosition(99)));
        Assert.Equal(Moment.Never, lsnClock.VisibleThrough(WalPosition.None));
    }

    [Fact]
    public void Keeps_a_replica_fresh_while_the_primary_is_idle()
    {
        var lsnClock = new LsnClock(4);
        for (var probe = 0; probe < 10; probe++)
        {
            lsnClock.Record(_clock.Advance(1.Seconds()), new WalPosition(100));
        }

        Assert.Equal(_clock.Now, lsnClock.VisibleThrough(new WalPosition(100)));
    }

    [Theory]
    [InlineData(99, null)]
    [InlineData(100, 1)]
    [InlineData(199, 1)]
    [InlineData(200, 2)]
    [InlineData(299, 2)]
    [InlineData(300, 3)]
    [InlineData(1_000, 3)]
    public void Goes_back_to_the_newest_sample_that_a_lagging_replica_has_replayed(ulong replayed, int? sample)
    {
        var lsnClock = new LsnClock(8);
        var sentAt = new List<Moment>();
        for (var probe = 1; probe <= 3; probe++)
        {
            sentAt.Add(_clock.Advance(1.Seconds()));
            lsnClock.Record(_clock.Now, new WalPosition((ulong)probe * 100));
        }

        Assert.Equal(sample is { } number ? sentAt[number - 1] : Moment.Never, lsnClock.VisibleThrough(new WalPosition(replayed)));
    }

    [Fact]
    public void Drops_the_oldest_sample_when_it_is_full()
    {
        var lsnClock = new LsnClock(2);
        lsnClock.Record(_clock.Advance(1.Seconds()), new WalPosition(100));
        var second = _clock.Advance(1.Seconds());
        lsnClock.Record(second, new WalPosition(200));
        lsnClock.Record(_clock.Advance(1.Seconds()), new WalPosition(300));

        Assert.Equal(Moment.Never, lsnClock.VisibleThrough(new WalPosition(150)));
        Assert.Equal(second, lsnClock.VisibleThrough(new WalPosition(250)));
    }

    [Fact]
    public void Forgets_every_sample_when_it_is_cleared()
    {
        var lsnClock = new LsnClock(2);
        lsnClock.Record(_clock.Now, new WalPosition(100));
        lsnClock.Clear();

        Assert.Equal(Moment.Never, lsnClock.VisibleThrough(new WalPosition(200)));

        var after = _clock.Advance(1.Seconds());
        lsnClock.Record(after, new WalPosition(10));
        Assert.Equal(after, lsnClock.VisibleThrough(new WalPosition(10)));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    [InlineData(3, 16)]
    [InlineData(4, 100)]
    public void Agrees_with_a_search_through_all_samples_kept(int seed, int capacity)
    {
        var random = new Random(seed);
        var lsnClock = new LsnClock(capacity);
        var kept = new List<(Moment SentAt, ulong Position)>();
        var position = 0UL;
        for (var step = 0; step < 2_000; step++)
        {
            switch (random.Next(10))
            {
                case 0 when random.Next(20) == 0:
                    lsnClock.Clear();
                    kept.Clear();
                    break;
                case < 5:
                    position += (ulong)random.Next(3);
                    lsnClock.Record(_clock.Advance(random.Next(1, 400).Milliseconds()), new WalPosition(position));
                    kept.Add((_clock.Now, position));
                    kept.RemoveRange(0, Math.Max(0, kept.Count - capacity));
                    break;
                default:
                    var replayed = position < 50 ? position : position - (ulong)random.Next(50);
                    var expected = kept.Where(s => s.Position <= replayed).Select(s => s.SentAt).DefaultIfEmpty(Moment.Never).Max();
                    Assert.True(expected == lsnClock.VisibleThrough(new WalPosition(replayed)), $"seed {seed}, capacity {capacity}, step {step}");
                    break;
            }
        }
    }

    // Samples at seconds 1, 2 and 3 with positions 100, 200 and 300.
    [Theory]
    [InlineData(0, 100)]
    [InlineData(1, 100)]
    [InlineData(2, 200)]
    [InlineData(3, 300)]
    [InlineData(4, null)]
    public void Knows_the_lowest_position_above_all_that_was_committed_before_a_moment(int second, int? expected)
    {
        var start = _clock.Now;
        var lsnClock = new LsnClock(3);
        lsnClock.Record(start, new WalPosition(1));
        for (var sample = 1; sample <= 3; sample++)
        {
            lsnClock.Record(_clock.Advance(1.Seconds()), new WalPosition((ulong)sample * 100));
        }

        var found = lsnClock.PositionSince(start.Plus(second.Seconds(), _clock));

        Assert.Equal(expected, (int?)found?.Position.Value);
        Assert.Equal(expected is null ? null : start.Plus((expected.Value / 100).Seconds(), _clock), found?.SentAt);
    }

    [Fact]
    public void An_answer_that_was_overtaken_changes_nothing()
    {
        var lsnClock = new LsnClock(4);
        var (early, late) = (_clock.Now, _clock.Advance(1.Seconds()));
        lsnClock.Record(late, new WalPosition(200));
        lsnClock.Record(early, new WalPosition(150));

        Assert.Equal(Moment.Never, lsnClock.VisibleThrough(new WalPosition(150)));
        Assert.Equal((late, new WalPosition(200)), lsnClock.PositionSince(early));
    }
}
