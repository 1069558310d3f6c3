using EfScaling.Sharding;

namespace EfScaling.Tests.Sharding;

/// <summary>What every map must keep to, those of users too.</summary>
public abstract class ShardMapContractTests
{
    private readonly int _seed = Random.Shared.Next();

    /// <summary>A map with several shards; each call makes it anew.</summary>
    protected abstract ShardMap Create(long version = 1);

    /// <summary>A key that the map places. Text in it must not occur in the words of the map.</summary>
    protected abstract ShardKey KeyOf(Random random);

    [Fact]
    public void A_key_always_has_the_same_shard_and_bucket()
    {
        var (one, other) = (Create(), Create(version: 7));
        foreach (var key in Keys())
        {
            Assert.Contains(one.ShardOf(key), one.Shards);
            Assert.Equal(one.ShardOf(key), other.ShardOf(key));
            Assert.Equal(one.BucketOf(key), other.BucketOf(key));
        }
    }

    [Fact]
    public void Shards_of_every_prefix_and_of_the_bucket_hold_the_shard_of_the_key()
    {
        var map = Create();
        foreach (var key in Keys())
        {
            for (var columns = 0; columns <= key.ColumnCount; columns++)
            {
                Assert.Contains(map.ShardOf(key), map.ShardsOf(key.Prefix(columns)));
            }

            if (map.BucketOf(key) is { } bucket)
            {
                Assert.InRange(bucket, 0, map.BucketCount - 1);
                Assert.Contains(map.ShardOf(key), map.ShardsOfBucket(bucket));
            }
        }

        Assert.Equal(map.Shards, map.ShardsOf(default));
    }

    [Fact]
    public void Buckets_outside_of_the_map_are_refused()
    {
        var map = Create();
        Assert.Throws<ArgumentOutOfRangeException>(() => map.ShardsOfBucket(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => map.ShardsOfBucket(map.BucketCount));
    }

    [Fact]
    public void No_key_is_refused()
    {
        var map = Create();
        Assert.Equal(ShardKeyRefusal.Missing, Assert.Throws<ShardKeyException>(() => map.ShardOf(default)).Reason);
        Assert.Equal(ShardKeyRefusal.Missing, Assert.Throws<ShardKeyException>(() => map.BucketOf(default)).Reason);
        Assert.Equal(ShardKeyRefusal.Missing, Assert.Throws<ShardKeyException>(() => map.Explain(default)).Reason);
    }

    [Fact]
    public void Words_tell_the_shard_and_not_the_key()
    {
        var map = Create(version: 12);
        foreach (var key in Keys().Take(50))
        {
            var words = map.Explain(key);
            Assert.Contains($"'{map.ShardOf(key)}'", words, StringComparison.Ordinal);
            Assert.Contains("version 12", words, StringComparison.Ordinal);
            for (var column = 0; column < key.ColumnCount; column++)
            {
                var value = key.GetValue(column).ToString()!;
                Assert.True(value.Length < 6 || !words.Contains(value, StringComparison.Ordinal), words);
            }
        }
    }

    [Fact]
    public void Fingerprint_is_the_same_for_the_same_map_only()
    {
        Assert.Equal(Create().Fingerprint, Create().Fingerprint);
        Assert.NotEqual(Create().Fingerprint, Create(version: 2).Fingerprint);
        Assert.Matches("^[0-9a-f]{32}$", Create().Fingerprint);
    }

    [Fact]
    public void Version_before_the_first_is_refused() =>
        Assert.Contains("Set 'version'", Assert.Throws<ArgumentException>(() => Create(version: 0)).Message, StringComparison.Ordinal);

    protected IEnumerable<ShardKey> Keys()
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {_seed}");
        var random = new Random(_seed);
        return Enumerable.Range(0, 1_000).Select(_ => KeyOf(random)).ToList();
    }
}
