using EfScaling.Caching;
using EfScaling.Caching.Rows;

namespace EfScaling.Tests.Caching;

public sealed class LocalResultsTests : IDisposable
{
    private static readonly RowSet _rows = new(RowSchema.TryCreate([new RowColumn("a", typeof(int), "integer")], out _)!, [], 0);

    private readonly ManualClock _clock = new();
    private readonly LocalResults _results;

    public LocalResultsTests() => _results = new LocalResults(1 << 20, _clock);

    public void Dispose() => _results.Dispose();

    [Fact]
    public void A_result_is_kept_for_its_time_and_for_another_once_that_is_put_off()
    {
        _results.Keep(1, _rows, 10, _clock.Now, 40.Seconds(), default);
        var result = _results.Find(1, _clock.Advance(30.Seconds()))!;
        Assert.True(result.TryProlong(_clock.Now.Plus(40.Seconds(), _clock), 10.Seconds(), _clock));

        Assert.Same(result, _results.Find(1, _clock.Advance(39.Seconds())));
        Assert.Null(_results.Find(1, _clock.Advance(2.Seconds())));
    }

    [Fact]
    public void Of_many_hits_one_in_a_while_puts_the_end_off()
    {
        _results.Keep(1, _rows, 10, _clock.Now, 40.Seconds(), default);
        var prolonged = Enumerable.Range(0, 100).Count(_ => _results.Find(1, _clock.Advance(1.Seconds()))!.TryProlong(_clock.Now.Plus(40.Seconds(), _clock), 10.Seconds(), _clock));
        Assert.Equal(10, prolonged);
    }

    [Fact]
    public async Task The_bytes_are_those_of_the_results_that_are_there()
    {
        Assert.Equal(0, _results.Bytes);
        _results.Keep(1, _rows, 10, _clock.Now, 40.Seconds(), default);
        _results.Keep(2, _rows, 10, _clock.Now, 40.Seconds(), default);
        Assert.Equal(2 * _rows.Size, _results.Bytes);

        // What is replaced is given back a moment later.
        _results.Keep(1, _rows, 11, _clock.Now, 40.Seconds(), default);
        await EfScaling.Testing.Eventually.ThatAsync(() => _results.Bytes == 2 * _rows.Size, 10.Seconds(), "the former result to be forgotten");
    }
}
