using EfScaling.Sharding;

namespace EfScaling.Tests.Sharding;

public sealed class RangeShardMapTests : ShardMapContractTests
{
    [Theory]
    [InlineData(long.MinValue, "low")]
    [InlineData(-1, "low")]
    [InlineData(0, "middle")]
    [InlineData(99, "middle")]
    [InlineData(100, "high")]
    [InlineData(199, "high")]
    [InlineData(200, "low")]
    [InlineData(long.MaxValue, "low")]
    public void A_range_has_its_lower_bound_and_not_its_upper_one(long key, string shard) => Assert.Equal(shard, Create().ShardOf(ShardKey.Of(key)));

    [Fact]
    public void Every_key_is_in_the_range_that_holds_it()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        for (var round = 0; round < 50; round++)
        {
            long[] bounds = [.. Enumerable.Range(0, random.Next(1, 20)).Select(_ => random.NextInt64(-1_000, 1_000)).Distinct().Order()];
            var map = new RangeShardMap(
                Enumerable.Range(0, bounds.Length + 1)
                    .Select(i => new ShardRange(i == 0 ? null : ShardKey.Of(bounds[i - 1]), i == bounds.Length ? null : ShardKey.Of(bounds[i]), $"s{i}"))
                    .OrderBy(_ => random.Next()));
            for (var key = -1_010L; key < 1_010; key++)
            {
                Assert.True(map.ShardOf(ShardKey.Of(key)) == $"s{bounds.Count(b => b <= key)}", $"seed {seed}, round {round}, key {key}");
            }
        }
    }

    [Fact]
    public void Text_is_ordered_by_its_bytes_in_UTF_8()
    {
        var map = new RangeShardMap([new(null, ShardKey.Of("a"), "capitals"), new(ShardKey.Of("a"), ShardKey.Of("\uE000"), "letters"), new(ShardKey.Of("\uE000"), null, "rest")]);

        Assert.Equal("capitals", map.ShardOf(ShardKey.Of("Z")));
        Assert.Equal("letters", map.ShardOf(ShardKey.Of("ä")));
        Assert.Equal("rest", map.ShardOf(ShardKey.Of("😀")));
    }

    [Fact]
    public void Shards_of_a_prefix_are_those_of_its_ranges()
    {
        var map = new RangeShardMap(
        [
            new(null, Pair(5, 100), "a"),
            new(Pair(5, 100), Pair(5, 200), "b"),
            new(Pair(5, 200), ShardKey.Of(6), "c"),
            new(ShardKey.Of(6), Pair(8, 0), "d"),
            new(Pair(8, 0), null, "e"),
        ]);

        Assert.Equal(["a"], map.ShardsOf(ShardKey.Of(4)));
        Assert.Equal(["a", "b", "c"], map.ShardsOf(ShardKey.Of(5)));
        Assert.Equal(["d"], map.ShardsOf(ShardKey.Of(6)));
        Assert.Equal(["d", "e"], map.ShardsOf(ShardKey.Of(8)));
        Assert.Equal(["b"], map.ShardsOf(Pair(5, 199)));
        Assert.Equal(2, map.PrefixLength);
        Assert.Equal(ShardKeyRefusal.WrongColumns, Assert.Throws<ShardKeyException>(() => map.ShardOf(ShardKey.Of(5))).Reason);
        Assert.Equal("c", map.ShardOf(ShardKey.Composite(Pair(5, 500), ShardKey.Of("not looked at"))));
    }

    [Fact]
    public void Bounds_on_the_first_column_place_keys_of_several()
    {
        var map = new RangeShardMap([new(null, ShardKey.Of(5), "a"), new(ShardKey.Of(5), null, "b")]);

        Assert.Equal("a", map.ShardOf(Pair(4, int.MaxValue)));
        Assert.Equal("b", map.ShardOf(Pair(5, int.MinValue)));
    }

    [Fact]
    public void Overlapping_missing_empty_and_mixed_ranges_are_told_at_once()
    {
        var message = Refusal(new ShardRange(null, ShardKey.Of(10), "a"), new(ShardKey.Of(5), ShardKey.Of(7), "b"), new(ShardKey.Of(9), ShardKey.Of(20), "c"), new(ShardKey.Of(30), null, "d"));

        Assert.All(
            ["3 reasons", "Range 1 (shard 'a') and Range 2 (shard 'b') overlap", "Range 1 (shard 'a') and Range 3 (shard 'c') overlap", "Between Range 3 (shard 'c') and Range 4 (shard 'd') keys are missing"],
            words => Assert.Contains(words, message, StringComparison.Ordinal));
        Assert.Contains("holds no key", Refusal(new ShardRange(ShardKey.Of(5), ShardKey.Of(5), "a")), StringComparison.Ordinal);
        Assert.Contains("Range 2 (shard 'b') has a bound of (int8), others of (int4)", Refusal(new ShardRange(null, ShardKey.Of(5), "a"), new(ShardKey.Of(5L), null, "b")), StringComparison.Ordinal);
        Assert.Contains("overlap", Refusal(new(null, null, "a"), new(null, null, "b")), StringComparison.Ordinal);
        Assert.Contains("overlap", Refusal(new ShardRange(ShardKey.Of(1), null, "a"), new(ShardKey.Of(2), null, "b")), StringComparison.Ordinal);
        Assert.Contains("bound of (none)", Refusal(new ShardRange(default(ShardKey), ShardKey.Of(5), "a")), StringComparison.Ordinal);
        Assert.Contains("no shards", Refusal(), StringComparison.Ordinal);

        static string Refusal(params ShardRange[] ranges) => Assert.Throws<ArgumentException>(() => new RangeShardMap(ranges)).Message;
    }

    [Fact]
    public void A_key_outside_of_closed_ends_is_refused()
    {
        var map = new RangeShardMap([new(ShardKey.Of(0), ShardKey.Of(10), "a")], version: 3);

        foreach (var key in new[] { -1, 10 })
        {
            var exception = Assert.Throws<ShardKeyException>(() => map.ShardOf(ShardKey.Of(key)));
            Assert.Equal(ShardKeyRefusal.OutOfRange, exception.Reason);
            Assert.Contains("version 3. Add a range", exception.Message, StringComparison.Ordinal);
        }

        Assert.Empty(map.ShardsOf(ShardKey.Of(10)));
        Assert.Equal(ShardKeyRefusal.WrongType, Assert.Throws<ShardKeyException>(() => map.ShardOf(ShardKey.Of(5L))).Reason);
    }

    protected override ShardMap Create(long version = 1) => new RangeShardMap(
        [new(ShardKey.Of(100L), ShardKey.Of(200L), "high"), new(null, ShardKey.Of(0L), "low"), new(ShardKey.Of(200L), null, "low"), new(ShardKey.Of(0L), ShardKey.Of(100L), "middle")],
        version);

    protected override ShardKey KeyOf(Random random) => ShardKey.Of(random.NextInt64(-300, 300));

    private static ShardKey Pair(int first, int second) => ShardKey.Composite(ShardKey.Of(first), ShardKey.Of(second));
}
