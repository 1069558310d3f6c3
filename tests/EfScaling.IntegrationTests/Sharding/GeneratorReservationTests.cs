using System.Collections.Concurrent;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Sharding;
using EfScaling.Testing;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>Each process makes ids with a number of its own, only for the time that it has reserved, whatever clocks say.</summary>
public sealed class GeneratorReservationTests(ClusterFixture fixture) : IAsyncLifetime
{
    private readonly string _name = $"ids_{Guid.NewGuid():N}";
    private NpgsqlDataSource _source = null!;

    public async ValueTask InitializeAsync()
    {
        await fixture.Cluster.Primary.ExecuteAsync($"CREATE DATABASE {_name}");
        _source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(fixture.Cluster.Primary.ConnectionString) { Database = _name }.ConnectionString);
    }

    public async ValueTask DisposeAsync() => await _source.DisposeAsync();

    [Fact]
    public async Task Many_processes_make_no_id_twice()
    {
        var ids = new ConcurrentDictionary<long, byte>();
        var generators = new ConcurrentBag<int>();
        await Parallel.ForAsync(0, 24, async (process, token) =>
        {
            // Their clocks do not agree: some are minutes ahead.
            var reservation = new GeneratorReservation(_source, "s", new Clock { Offset = TimeSpan.FromSeconds(20 * (process % 7)) });
            for (var i = 0; i < 2000; i++)
            {
                var id = process % 2 == 0 ? reservation.Next(i % 3) : await reservation.NextAsync(i % 3, token);
                Assert.True(ids.TryAdd(id, 0), "an id was made twice");
                Assert.Equal(i % 3, ShardedId.BucketOf(id));
            }
        });
        Assert.Equal(24 * 2000, ids.Count);
    }

    [Fact]
    public async Task A_process_that_starts_anew_takes_another_number_at_once()
    {
        var before = ShardedId.GeneratorOf(new GeneratorReservation(_source, "s", TimeProvider.System).Next(1));
        Assert.NotEqual(before, ShardedId.GeneratorOf(await new GeneratorReservation(_source, "s", TimeProvider.System).NextAsync(1, TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task A_number_is_free_again_when_its_time_has_passed_and_its_old_holder_takes_another()
    {
        var clock = new Clock();
        var holder = new GeneratorReservation(_source, "s", clock);
        var first = holder.Next(1);
        var numbers = new HashSet<int> { ShardedId.GeneratorOf(first) };

        // All others are taken, and the holder is quiet for longer than it has reserved.
        clock.Offset = TimeSpan.FromMinutes(5);
        for (var i = 0; i < ShardedId.MaxGenerators; i++)
        {
            numbers.Add(ShardedId.GeneratorOf(new GeneratorReservation(_source, "s", clock).Next(1)));
        }

        Assert.Equal(ShardedId.MaxGenerators, numbers.Count);
        var none = Assert.Throws<InvalidOperationException>(() => new GeneratorReservation(_source, "s", new Clock { Offset = clock.Offset, IsImpatient = true }).Next(1));
        Assert.Contains("all numbers of generators in 'efscaling.id_generator' are in use", none.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            clock.IsImpatient = true;
            await holder.NextAsync(1, TestContext.Current.CancellationToken);
        });
        clock.Offset = TimeSpan.FromMinutes(10);
        clock.IsImpatient = false;
        Assert.True(await holder.NextAsync(1, TestContext.Current.CancellationToken) > first);
    }

    [Fact]
    public async Task No_id_lies_behind_what_is_reserved_though_the_clock_jumps()
    {
        var clock = new Clock();
        var reservation = new GeneratorReservation(_source, "s", clock);
        var last = 0L;
        foreach (var offset in new[] { 0, 45, -3600, 70, 20, 4000, 3999, -10, 8000 })
        {
            clock.Offset = TimeSpan.FromSeconds(offset);
            for (var i = 0; i < 100; i++)
            {
                var id = i % 2 == 0 ? reservation.Next(5) : await reservation.NextAsync(5, TestContext.Current.CancellationToken);
                Assert.True(id > last);
                last = id;
            }

            Assert.True(ShardedId.MillisecondOf(last) <= await UsedUntilAsync(ShardedId.GeneratorOf(last)));
        }
    }

    [Fact]
    public async Task A_reservation_is_made_longer_before_it_ends()
    {
        var clock = new Clock();
        var reservation = new GeneratorReservation(_source, "s", clock);
        var number = ShardedId.GeneratorOf(reservation.Next(5));
        var until = await UsedUntilAsync(number);
        clock.Offset = TimeSpan.FromSeconds(40);
        Assert.Equal(number, ShardedId.GeneratorOf(reservation.Next(5)));
        await Eventually.ThatAsync(async () => await UsedUntilAsync(number) > until, TimeSpan.FromSeconds(20), "the reservation is made longer");
    }

    [Fact]
    public void A_burst_of_a_bucket_gets_its_ids_from_what_is_reserved()
    {
        var reservation = new GeneratorReservation(_source, "s", new Clock { IsStill = true });
        var ids = new HashSet<long>();
        for (var i = 0; i < 50_000; i++)
        {
            Assert.True(ids.Add(reservation.Next(7)));
        }
    }

    [Fact]
    public async Task A_transaction_of_the_application_that_is_rolled_back_does_not_take_a_number_back()
    {
        long id;
        using (new System.Transactions.TransactionScope(System.Transactions.TransactionScopeAsyncFlowOption.Enabled))
        {
            id = await new GeneratorReservation(_source, "s", TimeProvider.System).NextAsync(1, TestContext.Current.CancellationToken);
        }

        Assert.True(ShardedId.MillisecondOf(id) <= await UsedUntilAsync(ShardedId.GeneratorOf(id)));
    }

    [Fact]
    public void A_shard_that_cannot_be_reached_is_named()
    {
        using var nowhere = NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Timeout=2");
        var failure = Assert.Throws<InvalidOperationException>(() => new GeneratorReservation(nowhere, "north", TimeProvider.System).Next(1));
        Assert.Contains("no generator's number could be reserved on the default shard 'north'", failure.Message, StringComparison.Ordinal);
        Assert.NotNull(failure.InnerException);
        Assert.Equal(9, ShardedId.GeneratorOf(new GeneratorReservation(nowhere, "north", TimeProvider.System, number: 9).Next(1)));
    }

    private async Task<long> UsedUntilAsync(int number)
    {
        await using var command = _source.CreateCommand($"SELECT used_until FROM efscaling.id_generator WHERE number = {number}");
        return (long)(await command.ExecuteScalarAsync())!;
    }

    // A wall clock that can be set, with timers of the system.
    private sealed class Clock : TimeProvider
    {
        private static readonly DateTimeOffset _start = System.GetUtcNow();
        private long _timestamp;

        public TimeSpan Offset { get; set; }

        public bool IsStill { get; init; }

        public bool IsImpatient { get; set; }

        public override DateTimeOffset GetUtcNow() => (IsStill ? _start : System.GetUtcNow()) + Offset;

        public override long GetTimestamp() => IsImpatient ? Interlocked.Add(ref _timestamp, 60 * TimestampFrequency) : System.GetTimestamp();
    }
}
