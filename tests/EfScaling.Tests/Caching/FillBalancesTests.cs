using EfScaling.Caching;

namespace EfScaling.Tests.Caching;

public sealed class FillBalancesTests
{
    private const int ManyRounds = 200;

    private readonly ManualClock _clock = new();
    private readonly FillBalances _balances;
    private UInt128 _version = 1;

    public FillBalancesTests() => _balances = new FillBalances(_clock);

    // How often a result is asked for between two writes, again and again.
    [Theory]
    [InlineData(new[] { 1 }, FillBalance.Most + 1, FillBalance.Most + 1)]
    [InlineData(new[] { 2 }, ManyRounds, ManyRounds)]
    [InlineData(new[] { 1, 1, 10 }, ManyRounds, ManyRounds)]
    [InlineData(new[] { 1, 1, 3 }, 3 * FillBalance.Most, ManyRounds - FillBalance.Most)]
    public void Keeps_results_as_long_as_they_are_used_once_or_more(int[] reads, int least, int most)
    {
        var balance = _balances.Of(1);
        var fills = 0;
        UInt128? kept = null;
        for (var round = 0; round < ManyRounds; round++)
        {
            _version++;
            for (var read = 0; read < reads[round % reads.Length]; read++)
            {
                Read(balance, result: 7, ref kept, ref fills);
            }
        }

        Assert.InRange(fills, least, most);
    }

    [Fact]
    public void It_costs_nothing_to_be_new()
    {
        var balance = _balances.Of(1);
        for (var result = 0; result < 10 * FillBalance.Most; result++)
        {
            Assert.True(_balances.IsWorthKeeping(balance, (UInt128)result, _version));
        }
    }

    [Fact]
    public void Hits_that_were_saved_up_do_not_keep_it_from_running_out()
    {
        var balance = _balances.Of(1);
        for (var i = 0; i < 10_000; i++)
        {
            balance.Earn();
        }

        Spend(balance, FillBalance.Most - 1);
        Assert.False(balance.IsOut);
        Spend(balance, 1);
        Assert.True(balance.IsOut);
    }

    [Theory]
    [InlineData(FillBalance.Recovery - 1, true)]
    [InlineData(FillBalance.Recovery, false)]
    public void What_ran_out_is_trusted_again_after_some_hits(int hits, bool isOut)
    {
        var balance = _balances.Of(1);
        Spend(balance, FillBalance.Most);
        Spend(balance, 3);
        for (var i = 0; i < hits; i++)
        {
            balance.Earn();
        }

        Assert.Equal(isOut, balance.IsOut);
        Spend(balance, FillBalance.Most - 1);
        Assert.Equal(isOut, balance.IsOut);
    }

    [Fact]
    public void What_ran_out_keeps_a_result_that_is_asked_for_again_before_the_next_write()
    {
        var balance = _balances.Of(1);
        Spend(balance, FillBalance.Most);

        var (one, other) = (Digest.Of("one"u8), Digest.Of("other"u8));
        Assert.False(_balances.IsWorthKeeping(balance, one, _version));
        Assert.False(_balances.IsWorthKeeping(balance, other, _version));
        Assert.True(_balances.IsWorthKeeping(balance, one, _version));
        Assert.False(_balances.IsWorthKeeping(balance, one, ++_version));
        Assert.False(_balances.IsWorthKeeping(balance, other, _version));
        Assert.True(_balances.IsWorthKeeping(balance, other, _version));
    }

    [Fact]
    public void What_ran_out_keeps_one_result_in_a_while()
    {
        var balance = _balances.Of(1);
        Spend(balance, FillBalance.Most);
        for (var i = 0; i < 3; i++)
        {
            Assert.False(_balances.IsWorthKeeping(balance, 7, ++_version));
            _clock.Advance(FillBalance.ProbePause - 1.Milliseconds());
            Assert.False(_balances.IsWorthKeeping(balance, 7, ++_version));
            _clock.Advance(1.Milliseconds());
            Assert.True(_balances.IsWorthKeeping(balance, 7, ++_version));
        }
    }

    [Fact]
    public void Queries_are_told_apart_and_too_many_are_forgotten()
    {
        var first = _balances.Of(0);
        Spend(first, FillBalance.Most);
        Assert.Same(first, _balances.Of(0));
        for (var i = 1; i <= FillBalances.Capacity; i++)
        {
            Assert.False(_balances.Of((UInt128)i).IsOut);
        }

        Assert.NotSame(first, _balances.Of(0));
    }

    private void Read(FillBalance balance, UInt128 result, ref UInt128? kept, ref int fills)
    {
        if (kept == _version)
        {
            balance.Earn();
            return;
        }

        if (_balances.IsWorthKeeping(balance, result, _version))
        {
            if (kept is not null)
            {
                balance.Spend();
            }

            kept = _version;
            fills++;
        }
    }

    private static void Spend(FillBalance balance, int times)
    {
        for (var i = 0; i < times; i++)
        {
            balance.Spend();
        }
    }
}
