using EfScaling.Sharding;

namespace EfScaling.Tests.Sharding;

public sealed class GeographicShardMapTests : ShardMapContractTests
{
    private static readonly Dictionary<string, IReadOnlyList<string>> _regions = new() { ["europe"] = ["e0", "e1", "e2"], ["america"] = ["a0"], ["oceania"] = ["e2", "o0"] };

    [Fact]
    public void Keys_stay_in_their_region_and_spread_evenly_there()
    {
        var seed = Random.Shared.NextInt64(1L << 40);
        var map = new GeographicShardMap(_regions);
        foreach (var (region, shards) in _regions)
        {
            var counts = Enumerable.Range(0, 60_000).CountBy(i => map.ShardOf(ShardKey.Composite(ShardKey.Of(region), ShardKey.Of(seed + i)))).ToDictionary();
            Assert.Equal(shards.Order(), counts.Keys.Order());
            Assert.True(shards.Count == 1 || ChiSquare.Of(counts.Values) < ChiSquare.Limit(shards.Count), $"seed {seed}, {region}: {string.Join(", ", counts)}");
        }
    }

    [Fact]
    public void A_shard_added_to_a_region_takes_an_even_share_of_that_region_only()
    {
        var map = new GeographicShardMap(_regions);
        var next = new GeographicShardMap(new Dictionary<string, IReadOnlyList<string>>(_regions) { ["europe"] = ["e3", "e0", "e1", "e2"] }, version: 2);
        var moved = 0;
        foreach (var region in _regions.Keys)
        {
            for (var user = 0L; user < 20_000; user++)
            {
                var key = ShardKey.Composite(ShardKey.Of(region), ShardKey.Of(user));
                if (map.ShardOf(key) != next.ShardOf(key))
                {
                    Assert.Equal("europe", region);
                    Assert.Equal("e3", next.ShardOf(key));
                    moved++;
                }
            }
        }

        Assert.InRange(moved, 4_700, 5_300);
    }

    [Fact]
    public void A_text_names_its_region_up_to_the_separator()
    {
        var map = new GeographicShardMap(_regions, separator: '/');

        Assert.Equal("a0", map.ShardOf(ShardKey.Of("america/42")));
        Assert.Equal("a0", map.ShardOf(ShardKey.Of("america")));
        Assert.Equal(3, Enumerable.Range(0, 100).Select(i => map.ShardOf(ShardKey.Of($"europe/{i}"))).Distinct().Count());
    }

    [Fact]
    public void A_text_alone_can_name_a_region_of_one_shard_only()
    {
        var map = new GeographicShardMap(_regions);

        Assert.Equal("a0", map.ShardOf(ShardKey.Of("america")));
        Assert.Equal(ShardKeyRefusal.WrongColumns, Assert.Throws<ShardKeyException>(() => map.ShardOf(ShardKey.Of("europe"))).Reason);
        Assert.Contains("set 'separator'", Assert.Throws<ArgumentException>(() => new GeographicShardMap(_regions, prefixLength: 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_region_is_refused_or_goes_to_the_default()
    {
        var key = ShardKey.Composite(ShardKey.Of("atlantis"), ShardKey.Of(1L));
        var exception = Assert.Throws<ShardKeyException>(() => new GeographicShardMap(_regions).ShardOf(key));
        var map = new GeographicShardMap(_regions, defaultRegion: "america");

        Assert.Equal(ShardKeyRefusal.UnknownRegion, exception.Reason);
        Assert.Contains("'defaultRegion'", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("atlantis", exception.Message, StringComparison.Ordinal);
        Assert.Equal("a0", map.ShardOf(key));
        Assert.Equal(["a0"], map.ShardsOf(ShardKey.Of("atlantis")));
        Assert.Contains("the default", map.Explain(key), StringComparison.Ordinal);
    }

    [Fact]
    public void Shards_of_a_region_are_its_list()
    {
        var map = new GeographicShardMap(_regions, keyTypes: [ShardKeyType.Text, ShardKeyType.Int8]);

        Assert.Equal(["e0", "e1", "e2"], map.ShardsOf(ShardKey.Of("europe")));
        Assert.Equal(["e2", "o0"], map.ShardsOfRegion("oceania"));
        Assert.Equal(ShardKeyRefusal.UnknownRegion, Assert.Throws<ShardKeyException>(() => map.ShardsOfRegion("atlantis")).Reason);
        Assert.Equal(ShardKeyRefusal.WrongType, Assert.Throws<ShardKeyException>(() => map.ShardOf(ShardKey.Composite(ShardKey.Of(1), ShardKey.Of(1L)))).Reason);
    }

    [Fact]
    public void All_faults_are_told_at_once()
    {
        var message = Assert.Throws<ArgumentException>(() => new GeographicShardMap(
            [KeyValuePair.Create<string, IReadOnlyList<string>>("a/b", ["x", "x"]), KeyValuePair.Create<string, IReadOnlyList<string>>("c", []), KeyValuePair.Create<string, IReadOnlyList<string>>("c", ["y"])],
            defaultRegion: "d",
            separator: '/',
            keyTypes: [ShardKeyType.Int4])).Message;

        Assert.All(
            ["'c' is given more than once", "'c' has no shards", "names a shard more than once", "contains the separator", "default region 'd'", "cannot name a region"],
            words => Assert.Contains(words, message, StringComparison.Ordinal));
    }

    protected override ShardMap Create(long version = 1) => new GeographicShardMap(_regions, prefixLength: 2, version: version);

    protected override ShardKey KeyOf(Random random) =>
        ShardKey.Composite(ShardKey.Of(_regions.Keys.ElementAt(random.Next(3))), ShardKey.Of(random.NextInt64(1_000_000, long.MaxValue)), ShardKey.Of(random.Next()));
}
