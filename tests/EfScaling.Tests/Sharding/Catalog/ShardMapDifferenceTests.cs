using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;

namespace EfScaling.Tests.Sharding.Catalog;

public sealed class ShardMapDifferenceTests
{
    private const int Buckets = 16;

    private static readonly HashShardMap _hash = new(["a", "b"], Buckets, [ShardKeyType.Int4]);

    [Fact]
    public void A_bucket_that_moves_concerns_itself() => Assert.Equal([3], ShardMapDifference.BucketsOf(_hash, _hash.With(3, "b")));

    [Fact]
    public void A_shard_that_is_added_concerns_no_bucket() => Assert.Empty(ShardMapDifference.BucketsOf(_hash, _hash.WithShard("c")));

    [Fact]
    public void A_pin_that_is_added_moved_or_removed_concerns_the_bucket_of_its_key()
    {
        var key = ShardKey.Of(42);
        int[] bucket = [_hash.BucketOf(key)!.Value];
        var pinned = new DirectoryShardMap(_hash, [new(key, "own")], ["own"], version: 2);

        Assert.Equal(bucket, ShardMapDifference.BucketsOf(_hash, pinned));
        Assert.Equal(bucket, ShardMapDifference.BucketsOf(pinned, pinned.With(key, "b")));
        Assert.Equal(bucket, ShardMapDifference.BucketsOf(pinned, pinned.Without(key)));
        Assert.Equal(bucket.Append(5).Order(), ShardMapDifference.BucketsOf(_hash, new DirectoryShardMap(_hash.With(5, "b"), [new(key, "own")], ["own"], version: 2)));
    }

    [Fact]
    public void A_pin_of_the_beginning_of_keys_concerns_every_bucket()
    {
        var composite = new HashShardMap(["a", "b"], Buckets, [ShardKeyType.Text, ShardKeyType.Int4]);

        Assert.Equal(Enumerable.Range(0, Buckets), ShardMapDifference.BucketsOf(composite, new DirectoryShardMap(composite, [new(ShardKey.Of("tenant"), "b")])));
    }

    [Fact]
    public void Pins_that_change_places_between_two_directories_concern_every_bucket()
    {
        var key = ShardKey.Of(42);
        var before = new DirectoryShardMap(new DirectoryShardMap(_hash, [new(key, "a")]), [new(key, "b")], version: 2);
        var after = new DirectoryShardMap(new DirectoryShardMap(_hash, [new(key, "b")]), [new(key, "a")], version: 3);

        Assert.NotEqual(before.ShardOf(key), after.ShardOf(key));
        Assert.Equal(Enumerable.Range(0, Buckets), ShardMapDifference.BucketsOf(before, after));
    }

    [Fact]
    public void Whatever_a_change_moves_is_in_a_bucket_that_it_concerns()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        for (var run = 0; run < 50; run++)
        {
            ShardMap[] maps = [Any(random), Any(random)];
            var concerned = ShardMapDifference.BucketsOf(maps[0], maps[1]);
            for (var key = 0; key < 300; key++)
            {
                var moved = maps[0].ShardOf(ShardKey.Of(key)) != maps[1].ShardOf(ShardKey.Of(key));
                Assert.True(!moved || concerned.Contains(maps[0].BucketOf(ShardKey.Of(key))!.Value), $"seed {seed}, run {run}, key {key}");
            }
        }
    }

    private static ShardMap Any(Random random)
    {
        var hash = _hash;
        for (var change = 0; change < random.Next(4); change++)
        {
            hash = hash.With(random.Next(Buckets), random.Next(2) == 0 ? "a" : "b");
        }

        return random.Next(2) == 0 ? hash : new DirectoryShardMap(hash, Enumerable.Range(0, random.Next(4)).Select(_ => random.Next(300)).Distinct().Select(k => KeyValuePair.Create(ShardKey.Of(k), "own")), ["own"]);
    }
}
