using System.Collections.Concurrent;
using EfScaling.Sharding;
using Npgsql;

namespace EfScaling.Tests.Sharding;

public sealed class ShardedIdGeneratorTests
{
    private static readonly DateTimeOffset _start = new(2026, 3, 4, 5, 6, 7, 89, TimeSpan.Zero);

    private readonly SettableClock _clock = new(_start);

    [Fact]
    public void An_id_tells_its_time_bucket_and_generator()
    {
        foreach (var (number, bucket) in new[] { (0, 0), (127, 1_023), (5, 700) })
        {
            var generator = new ShardedIdGenerator(number, _clock);
            long[] ids = [generator.Next(bucket), generator.Next(bucket)];

            Assert.Equal(ids[0] + 1, ids[1]);
            Assert.All(ids, id =>
            {
                Assert.Equal(bucket, ShardedId.BucketOf(id));
                Assert.Equal(number, ShardedId.GeneratorOf(id));
                Assert.Equal(_start, ShardedId.TimeOf(id));
            });
        }
    }

    [Fact]
    public void A_number_that_is_given_to_the_process_makes_no_id_twice_though_several_contexts_use_it()
    {
        using var unused = NpgsqlDataSource.Create("Host=nowhere.invalid");
        GeneratorReservation[] contexts = [new(unused, "s", _clock, number: 4), new(unused, "s", _clock, number: 4)];
        long[] ids = [.. contexts.Concat(contexts).Select(c => c.Next(7))];
        Assert.Equal(4, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Equal(4, ShardedId.GeneratorOf(id)));
    }

    [Fact]
    public void Layout_is_the_documented_one()
    {
        // 41 bits of milliseconds, 10 of the bucket, 7 of the generator, 5 of the sequence: ids that are stored must keep their meaning.
        Assert.Equal((123_456_789L << 22) | (700L << 12) | (100L << 5) | 31, ShardedId.Of(123_456_789, 700, 100, 31));
        Assert.Equal(long.MaxValue, ShardedId.Of((1L << 41) - 1, 1_023, 127, 31));
        Assert.Equal(2089, ShardedId.TimeOf(long.MaxValue).Year);
        Assert.Throws<ArgumentOutOfRangeException>(() => ShardedId.BucketOf(-1));
    }

    [Fact]
    public async Task Threads_and_generators_never_make_an_id_twice()
    {
        // Three processes over few buckets and the real clock, each with four threads.
        var ids = new ConcurrentBag<long[]>();
        await Task.WhenAll(Enumerable.Range(0, 3).SelectMany(number =>
        {
            var generator = new ShardedIdGenerator(number);
            return Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
            {
                var made = new long[50_000];
                for (var at = 0; at < made.Length; at++)
                {
                    made[at] = generator.Next((at + thread) % 3);
                }

                // What one thread sees of a bucket rises, whatever the others do.
                Assert.All(made.GroupBy(ShardedId.BucketOf), bucket => Assert.Equal(bucket.Order(), bucket));
                ids.Add(made);
            }));
        }));

        Assert.Equal(3 * 4 * 50_000, ids.SelectMany(i => i).Distinct().Count());
    }

    [Fact]
    public void A_clock_that_jumps_about_never_makes_an_id_twice_or_out_of_order()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        var generator = new ShardedIdGenerator(1, _clock);
        var last = new Dictionary<int, long>();

        // The latest time that the generator has seen.
        var latest = DateTimeOffset.MinValue;
        for (var step = 0; step < 200_000; step++)
        {
            if (random.Next(20) == 0)
            {
                _clock.Now += TimeSpan.FromMilliseconds(random.Next(-2_000, 2_001));
            }

            var bucket = random.Next(4);
            var id = generator.Next(bucket);
            latest = _clock.Now > latest ? _clock.Now : latest;
            Assert.True(!last.TryGetValue(bucket, out var before) || id > before, $"seed {seed}, step {step}");
            Assert.True(ShardedId.TimeOf(id) >= latest, $"seed {seed}, step {step}: earlier than ids of other buckets");
            last[bucket] = id;
        }
    }

    [Fact]
    public void Ids_of_a_later_millisecond_are_greater_in_every_bucket_and_generator()
    {
        var (one, other) = (new ShardedIdGenerator(127, _clock), new ShardedIdGenerator(0, _clock));
        var before = one.Next(1_023);
        _clock.Now += TimeSpan.FromMilliseconds(1);

        Assert.True(other.Next(0) > before);
        Assert.True(one.Next(0) > before);

        // Backwards for one bucket is backwards for all.
        _clock.Now -= TimeSpan.FromHours(1);
        Assert.True(one.Next(5) > before);
    }

    [Fact]
    public void All_generators_make_4096_ids_of_a_bucket_in_a_millisecond_and_the_next_tick_is_behind_them()
    {
        ShardedIdGenerator[] generators = [.. Enumerable.Range(0, ShardedId.MaxGenerators).Select(number => new ShardedIdGenerator(number, _clock))];
        long[] first = [.. generators.SelectMany(g => Enumerable.Range(0, 32).Select(_ => g.Next(3)))];
        Assert.Equal(4_096, first.Distinct().Count());
        Assert.All(first, id => Assert.Equal(_start, ShardedId.TimeOf(id)));
        _clock.Now += TimeSpan.FromMilliseconds(1);

        long[] second = [.. generators.SelectMany(g => Enumerable.Range(0, 32).Select(_ => g.Next(3)))];
        Assert.Equal(4_096, second.Distinct().Count());
        Assert.True(second.Min() > first.Max());
    }

    [Fact]
    public void A_burst_borrows_from_the_milliseconds_to_come()
    {
        var generator = new ShardedIdGenerator(1, _clock);
        long[] ids = [.. Enumerable.Range(0, 4_096).Select(_ => generator.Next(3))];

        Assert.Equal(ids.Order().Distinct(), ids);
        Assert.All(ids.Index(), id => Assert.Equal(_start.AddMilliseconds(id.Index / 32), ShardedId.TimeOf(id.Item)));
        Assert.Equal(_start.AddMilliseconds(127), generator.UsedUntil);

        // Another bucket has its own milliseconds, and the borrowed ones are not used again when they come.
        Assert.Equal(_start, ShardedId.TimeOf(generator.Next(4)));
        _clock.Now += TimeSpan.FromMilliseconds(100);
        Assert.Equal(_start.AddMilliseconds(128), ShardedId.TimeOf(generator.Next(3)));
    }

    [Fact]
    public void A_generator_can_follow_another_of_its_number()
    {
        var first = new ShardedIdGenerator(1, _clock);
        long[] ids = [.. Enumerable.Range(0, 1_000).Select(_ => first.Next(3))];
        var second = new ShardedIdGenerator(1, _clock, notBefore: first.UsedUntil);

        Assert.True(second.Next(3) > ids[^1]);
        Assert.Equal(first.UsedUntil.AddMilliseconds(1), ShardedId.TimeOf(second.Next(9)));
    }

    [Fact]
    public void What_an_id_cannot_hold_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new ShardedIdGenerator(128));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ShardedIdGenerator(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ShardedIdGenerator(0, notBefore: DateTimeOffset.MaxValue));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ShardedIdGenerator(0).Next(1_024));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ShardedIdGenerator(0).Next(-1));
        foreach (var year in new[] { 1970, 2090 })
        {
            _clock.Now = new DateTimeOffset(year, 1, 1, 0, 0, 0, TimeSpan.Zero);
            Assert.Contains("Set the clock right", Assert.Throws<InvalidOperationException>(() => new ShardedIdGenerator(0, _clock).Next(0)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_clock_far_in_the_future_for_a_moment_is_not_followed_beyond_what_ids_hold()
    {
        var generator = new ShardedIdGenerator(0, _clock);
        var before = generator.Next(0);
        _clock.Now = new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero);
        Assert.Throws<InvalidOperationException>(() => generator.Next(0));
        _clock.Now = _start;

        Assert.Equal(before + 1, generator.Next(0));
    }
}
