using EfScaling.Sharding;

namespace EfScaling.Tests.Sharding;

public sealed class HashShardMapTests : ShardMapContractTests
{
    private static readonly string[] _four = ["s0", "s1", "s2", "s3"];

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(1_024)]
    public void Buckets_are_assigned_evenly(int shards)
    {
        var map = new HashShardMap(Enumerable.Range(0, shards).Select(s => $"s{s}"));

        int[] counts = [.. map.Assignment.CountBy(s => s).Select(c => c.Value)];
        Assert.Equal(1_024, map.BucketCount);
        Assert.Equal(shards, counts.Length);
        Assert.True(counts.Max() - counts.Min() <= 1);
    }

    [Theory]
    [InlineData(ShardKeyType.Int8)]
    [InlineData(ShardKeyType.Uuid)]
    [InlineData(ShardKeyType.Text)]
    [InlineData(ShardKeyType.Timestamp)]
    public void Keys_spread_over_the_buckets_as_if_by_chance(ShardKeyType type)
    {
        // Neighbours, as ids and times are in practice: what a bad hash would show.
        var seed = Random.Shared.NextInt64(1L << 50);
        var map = new HashShardMap(_four);
        var counts = new int[map.BucketCount];
        for (var at = seed; at < seed + 200_000; at++)
        {
            counts[map.BucketOf(type switch
            {
                ShardKeyType.Int8 => ShardKey.Of(at),
                ShardKeyType.Uuid => ShardKey.Of(new Guid((int)at, (short)(at >> 32), 0, new byte[8])),
                ShardKeyType.Text => ShardKey.Of($"user-{at}"),
                _ => ShardKey.Of(new DateTime(2024, 1, 1).AddSeconds(at % 1_000_000_000)),
            })!.Value]++;
        }

        Assert.True(ChiSquare.Of(counts) < ChiSquare.Limit(counts.Length), $"{ChiSquare.Of(counts):F0} beyond {ChiSquare.Limit(counts.Length):F0} at {ChiSquare.Significance}, seed {seed}");
    }

    [Fact]
    public void Keys_of_two_columns_spread_over_the_buckets_as_if_by_chance()
    {
        // Few tenants with many rows each, in turn: neither column alone may decide.
        var seed = Random.Shared.NextInt64(1L << 50);
        var map = new HashShardMap(_four);
        var counts = new int[map.BucketCount];
        for (var at = seed; at < seed + 200_000; at++)
        {
            counts[map.BucketOf(ShardKey.Composite(ShardKey.Of((int)(at % 5)), ShardKey.Of(at)))!.Value]++;
        }

        Assert.True(ChiSquare.Of(counts) < ChiSquare.Limit(counts.Length), $"{ChiSquare.Of(counts):F0} beyond {ChiSquare.Limit(counts.Length):F0} at {ChiSquare.Significance}, seed {seed}");
    }

    [Fact]
    public void Moving_a_bucket_moves_its_keys_only()
    {
        var map = new HashShardMap(_four);
        var next = map.WithShard("s4").With(5, "s4");

        Assert.Equal(3, next.Version);
        Assert.Equal([.. _four, "s4"], next.Shards);
        Assert.Equal(["s4"], next.ShardsOfBucket(5));
        foreach (var key in Keys())
        {
            Assert.Equal(map.BucketOf(key), next.BucketOf(key));
            Assert.Equal(map.BucketOf(key) == 5 ? "s4" : map.ShardOf(key), next.ShardOf(key));
        }

        Assert.Equal(1, map.Version);
        Assert.Equal("s0", map.Assignment[5]);
        Assert.NotEqual(map.Fingerprint, next.Fingerprint);
    }

    [Fact]
    public void A_stored_assignment_makes_the_same_map()
    {
        var map = new HashShardMap(_four).With(1_000, "s1");
        var stored = new HashShardMap(map.Shards, map.Assignment, version: map.Version);

        Assert.Equal(map.Fingerprint, stored.Fingerprint);
    }

    [Fact]
    public void Any_difference_of_configuration_shows_in_the_fingerprint()
    {
        ShardMap[] maps =
        [
            new HashShardMap(_four), new HashShardMap(_four, buckets: 512), new HashShardMap(_four, version: 2), new HashShardMap(_four, prefixLength: 1), new HashShardMap(_four, keyTypes: [ShardKeyType.Int8]),
            new HashShardMap(_four, keyTypes: [ShardKeyType.Uuid]), new HashShardMap(["s0", "s1", "s3", "s2"]), new HashShardMap(["s0", "s1", "s2"]), new HashShardMap(["s", "0s1s2s3"]), new RingShardMap(_four), new RingShardMap(_four, 128),
        ];

        Assert.Equal(maps.Length, maps.Select(m => m.Fingerprint).Distinct().Count());
    }

    [Fact]
    public void Fingerprint_stays_the_same_from_release_to_release() =>
        Assert.Equal("15efc1e27b63f9929481184503ba9b01", new HashShardMap(_four, keyTypes: [ShardKeyType.Int8]).Fingerprint);

    [Fact]
    public void A_prefix_keeps_keys_together()
    {
        var map = new HashShardMap(_four, keyTypes: [ShardKeyType.Int8, ShardKeyType.Int4], prefixLength: 1);
        for (var tenant = 0L; tenant < 100; tenant++)
        {
            var bucket = map.BucketOf(ShardKey.Of(tenant));
            Assert.All(Enumerable.Range(0, 10), order => Assert.Equal(bucket, map.BucketOf(ShardKey.Composite(ShardKey.Of(tenant), ShardKey.Of(order)))));
            Assert.Equal([map.ShardOf(ShardKey.Of(tenant))], map.ShardsOf(ShardKey.Composite(ShardKey.Of(tenant), ShardKey.Of(1))));
        }

        Assert.Contains("first 1 of its columns", map.Explain(ShardKey.Composite(ShardKey.Of(1L), ShardKey.Of(1))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_prefix_that_does_not_decide_may_be_anywhere()
    {
        var map = new HashShardMap(_four, keyTypes: [ShardKeyType.Int8, ShardKeyType.Int4]);

        Assert.Equal(_four, map.ShardsOf(ShardKey.Of(1L)));
        Assert.Single(map.ShardsOf(ShardKey.Composite(ShardKey.Of(1L), ShardKey.Of(1))));
    }

    [Fact]
    public void Keys_of_other_columns_are_refused_with_the_call_that_makes_them_right()
    {
        var map = new HashShardMap(_four, keyTypes: [ShardKeyType.Int8, ShardKeyType.Text]);

        AssertRefused(ShardKeyRefusal.WrongType, "'ShardKey.Composite(ShardKey.Of(long), ShardKey.Of(string))'", ShardKey.Composite(ShardKey.Of(1), ShardKey.Of("a")));
        AssertRefused(ShardKeyRefusal.WrongColumns, "2 columns", ShardKey.Of(1L));
        AssertRefused(ShardKeyRefusal.WrongColumns, "2 columns", ShardKey.Composite(ShardKey.Of(1L), ShardKey.Of("a"), ShardKey.Of(1)));
        Assert.Equal(ShardKeyRefusal.WrongType, Assert.Throws<ShardKeyException>(() => map.ShardsOf(ShardKey.Of(1))).Reason);
        Assert.Equal(ShardKeyRefusal.WrongColumns, Assert.Throws<ShardKeyException>(() => map.ShardsOf(ShardKey.Composite(ShardKey.Of(1L), ShardKey.Of("a"), ShardKey.Of(1)))).Reason);

        void AssertRefused(ShardKeyRefusal reason, string words, ShardKey key)
        {
            var exception = Assert.Throws<ShardKeyException>(() => map.ShardOf(key));
            Assert.Equal(reason, exception.Reason);
            Assert.Contains(words, exception.Message, StringComparison.Ordinal);
            Assert.Equal(reason, Assert.Throws<ShardKeyException>(() => map.BucketOf(key)).Reason);
        }
    }

    [Fact]
    public void All_faults_are_told_at_once()
    {
        var message = Assert.Throws<ArgumentException>(() => new HashShardMap(["a", "a", " "], buckets: 1_000, prefixLength: 9, version: -1)).Message;

        Assert.All(["5 reasons", "'a' is named more than once", "empty name", "1000 buckets", "'prefixLength'", "'version'"], words => Assert.Contains(words, message, StringComparison.Ordinal));
        Assert.Contains("no shards", Assert.Throws<ArgumentException>(() => new HashShardMap([])).Message, StringComparison.Ordinal);
        Assert.Contains("only 2 buckets", Assert.Throws<ArgumentException>(() => new HashShardMap(_four, buckets: 2)).Message, StringComparison.Ordinal);
        Assert.Contains("2 buckets, the first of them 1, are on shard 'x'", Assert.Throws<ArgumentException>(() => new HashShardMap(_four, ["s0", "x", "x", "s1"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_shards_and_buckets_cannot_be_assigned()
    {
        var map = new HashShardMap(_four);

        Assert.Contains("'WithShard'", Assert.Throws<ArgumentException>(() => map.With(5, "x")).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => map.With(1_024, "s0"));
        Assert.Contains("'s0' is named more than once", Assert.Throws<ArgumentException>(() => map.WithShard("s0")).Message, StringComparison.Ordinal);
    }

    protected override ShardMap Create(long version = 1) => new HashShardMap(_four, version: version);

    protected override ShardKey KeyOf(Random random) =>
        random.Next(2) == 0 ? ShardKey.Of(random.NextInt64()) : ShardKey.Composite(ShardKey.Of(random.NextInt64()), ShardKey.Of($"user {random.Next()}"));
}
