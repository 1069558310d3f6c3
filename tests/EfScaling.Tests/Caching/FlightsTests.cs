using EfScaling.Caching;
using EfScaling.Caching.Rows;

namespace EfScaling.Tests.Caching;

public sealed class FlightsTests
{
    private static readonly RowSet _rows = new(RowSchema.TryCreate([new RowColumn("a", typeof(int), "integer")], out _)!, [], 0);

    private readonly ManualClock _clock = new();
    private readonly Flights _flights;

    public FlightsTests() => _flights = new Flights(_clock);

    [Fact]
    public async Task Readers_of_the_same_versions_get_what_the_first_loads()
    {
        var own = _flights.Join(1, 10, out var isOwn);
        Assert.True(isOwn);
        var joined = _flights.Join(1, 10, out isOwn);
        Assert.False(isOwn);
        var awaited = joined.WaitAsync(Flights.Patience, TimeProvider.System, CancellationToken.None);
        var blocked = Task.Run(() => joined.Wait(TimeSpan.FromSeconds(20)));

        _flights.Land(1, 10, own, _rows);

        Assert.Same(_rows, await awaited);
        Assert.Same(_rows, await blocked);
        _flights.Join(1, 10, out isOwn);
        Assert.True(isOwn);
    }

    [Theory]
    [InlineData(1, 11)]
    [InlineData(2, 10)]
    public void Nobody_joins_a_load_of_other_versions_or_of_another_query(int query, int stamp)
    {
        _flights.Join(1, 10, out _);
        _flights.Join((UInt128)query, (UInt128)stamp, out var isOwn);
        Assert.True(isOwn);
    }

    [Fact]
    public async Task A_load_that_failed_sends_its_readers_away()
    {
        var own = _flights.Join(1, 10, out _);
        var waiting = _flights.Join(1, 10, out _).WaitAsync(Flights.Patience, TimeProvider.System, CancellationToken.None);
        _flights.Land(1, 10, own, null);
        Assert.Null(await waiting);
        Assert.Null(own.Wait(TimeSpan.Zero));
    }

    [Fact]
    public async Task Nobody_waits_for_ever_and_a_load_that_was_abandoned_is_begun_anew()
    {
        var abandoned = _flights.Join(1, 10, out _);
        Assert.Null(abandoned.Wait(TimeSpan.FromMilliseconds(1)));
        Assert.Null(await abandoned.WaitAsync(TimeSpan.FromMilliseconds(1), TimeProvider.System, CancellationToken.None));
        _clock.Advance(TimeSpan.FromSeconds(11));

        var second = _flights.Join(1, 10, out var isOwn);

        Assert.True(isOwn);
        _flights.Land(1, 10, abandoned, _rows);
        Assert.Same(second, _flights.Join(1, 10, out isOwn));
        Assert.False(isOwn);
    }

    [Fact]
    public async Task Nobody_waits_long_for_a_reader_that_takes_its_rows_one_by_one()
    {
        var flights = new Flights(TimeProvider.System);
        var own = flights.Join(1, 10, out _);
        flights.Stream(1, 10, own);
        var joined = flights.Join(1, 10, out var isOwn);
        Assert.False(isOwn);

        // Much longer than the test waits elsewhere: it ends because nothing is waited for any more.
        Assert.Null(await joined.WaitAsync(TimeSpan.FromMinutes(5), TimeProvider.System, CancellationToken.None));

        flights.Join(1, 10, out isOwn);
        Assert.True(isOwn);
        flights.Land(1, 10, own, _rows);
        flights.Join(1, 10, out isOwn);
        Assert.False(isOwn);
    }

    [Fact]
    public async Task A_stream_that_is_read_to_its_end_at_once_has_readers()
    {
        var own = _flights.Join(1, 10, out _);
        _flights.Stream(1, 10, own);
        var waiting = _flights.Join(1, 10, out _).WaitAsync(Flights.Patience, TimeProvider.System, CancellationToken.None);
        _flights.Land(1, 10, own, _rows);
        Assert.Same(_rows, await waiting);
    }

    [Fact]
    public async Task Of_many_readers_at_once_one_loads()
    {
        var own = 0;
        await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => Task.Run(() =>
        {
            _flights.Join(1, 10, out var isOwn);
            if (isOwn)
            {
                Interlocked.Increment(ref own);
            }
        })));
        Assert.Equal(1, own);
    }
}
