using EfScaling.Sharding;

namespace EfScaling.Tests.Sharding;

public sealed class DirectoryShardMapTests : ShardMapContractTests
{
    private static readonly HashShardMap _fallback = new(["s0", "s1"], keyTypes: [ShardKeyType.Int8, ShardKeyType.Int4], prefixLength: 1);

    [Fact]
    public void The_longest_pin_decides_and_all_other_keys_go_to_the_map_below()
    {
        var map = (DirectoryShardMap)Create();

        Assert.Equal("big", map.ShardOf(Pair(7, 1)));
        Assert.Equal("s0", map.ShardOf(Pair(7, 99)));
        Assert.All(Enumerable.Range(100, 200), t => Assert.Equal(_fallback.ShardOf(Pair(t, 1)), map.ShardOf(Pair(t, 1))));
        Assert.Contains("pin of its first 1 columns", map.Explain(Pair(7, 1)), StringComparison.Ordinal);
        Assert.Contains("-> pin ->", map.Explain(Pair(7, 99)), StringComparison.Ordinal);
        Assert.Contains("no pin; below it", map.Explain(Pair(80, 1)), StringComparison.Ordinal);
    }

    [Fact]
    public void Shards_of_a_prefix_include_the_pins_behind_it()
    {
        var map = (DirectoryShardMap)Create();

        Assert.Equal(["big", "s0"], map.ShardsOf(ShardKey.Of(7L)));
        Assert.Equal([_fallback.ShardOf(ShardKey.Of(80L))], map.ShardsOf(ShardKey.Of(80L)));
    }

    [Fact]
    public void A_pinned_key_keeps_its_bucket_which_then_has_more_shards()
    {
        var map = new DirectoryShardMap(_fallback, [KeyValuePair.Create(ShardKey.Of(7L), "big")], ["big"]);
        var bucket = _fallback.BucketOf(ShardKey.Of(7L))!.Value;

        Assert.Equal(bucket, map.BucketOf(ShardKey.Of(7L)));
        Assert.Equal([_fallback.Assignment[bucket], "big"], map.ShardsOfBucket(bucket));
        Assert.Equal([_fallback.Assignment[bucket ^ 1]], map.ShardsOfBucket(bucket ^ 1));
    }

    [Fact]
    public void Pins_are_added_moved_and_removed_in_the_next_version()
    {
        var map = new DirectoryShardMap(_fallback, [], ["big"]);
        var pinned = map.With(ShardKey.Of(7L), "s0").With(ShardKey.Of(7L), "big");
        var free = pinned.Without(ShardKey.Of(7L));

        Assert.Equal("big", pinned.ShardOf(Pair(7, 1)));
        Assert.Equal(3, pinned.Version);
        Assert.Equal(map.ShardOf(Pair(7, 1)), free.ShardOf(Pair(7, 1)));
        Assert.Equal(4, free.Version);
        Assert.Empty(free.Pins);
        Assert.Equal("big", pinned.WithFallback(_fallback.WithShard("s2")).ShardOf(Pair(7, 1)));
        Assert.Contains("'Pins'", Assert.Throws<ArgumentException>(() => free.Without(ShardKey.Of(7L))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_shards_doubled_pins_and_other_types_are_told_at_once()
    {
        var message = Assert.Throws<ArgumentException>(() => new DirectoryShardMap(
            _fallback,
            [KeyValuePair.Create(ShardKey.Of(4_711L), "x"), KeyValuePair.Create(ShardKey.Of(5L), "s0"), KeyValuePair.Create(ShardKey.Of(5L), "s1"), KeyValuePair.Create(ShardKey.Of(5), "s1")])).Message;

        Assert.All(
            ["3 reasons", "Pin 1 of a key (int8) names shard 'x', which the map does not have", "Pin 3 is of a key (int8) that has a pin already", "Pin 4 is of a key (int4), but keys are (int8, int4)"],
            words => Assert.Contains(words, message, StringComparison.Ordinal));
        Assert.DoesNotContain("4711", message, StringComparison.Ordinal);
        Assert.Contains("'s0' is named more than once", Assert.Throws<ArgumentException>(() => new DirectoryShardMap(_fallback, [], ["s0"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_of_another_type_than_the_pins_is_refused_even_if_the_map_below_takes_any()
    {
        var map = new DirectoryShardMap(new HashShardMap(["s0", "s1"]), [KeyValuePair.Create(ShardKey.Of(7L), "s1")]);

        Assert.Equal("s1", map.ShardOf(ShardKey.Of(7L)));
        Assert.Equal(ShardKeyRefusal.WrongType, Assert.Throws<ShardKeyException>(() => map.ShardOf(ShardKey.Of(7))).Reason);
    }

    [Fact]
    public void A_key_with_fewer_columns_than_a_pin_is_refused()
    {
        var exception = Assert.Throws<ShardKeyException>(() => Create().ShardOf(ShardKey.Of(7L)));

        Assert.Equal(ShardKeyRefusal.WrongColumns, exception.Reason);
        Assert.Contains("'ShardsOf'", exception.Message, StringComparison.Ordinal);
    }

    protected override ShardMap Create(long version = 1) => new DirectoryShardMap(
        _fallback,
        Enumerable.Range(0, 50).Select(t => KeyValuePair.Create(ShardKey.Of((long)t), t == 7 ? "big" : "s1")).Append(KeyValuePair.Create(Pair(7, 99), "s0")),
        ["big", "unused"],
        version);

    protected override ShardKey KeyOf(Random random) => Pair(random.Next(100), random.Next(90, 100));

    private static ShardKey Pair(long tenant, int order) => ShardKey.Composite(ShardKey.Of(tenant), ShardKey.Of(order));
}
