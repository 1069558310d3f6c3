using System.Text.Json.Nodes;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;

namespace EfScaling.Tests.Sharding.Catalog;

public sealed class ShardMapJsonTests
{
    private const int Runs = 200;

    private readonly int _seed = Random.Shared.Next();

    [Fact]
    public void A_map_that_was_written_reads_back_with_the_same_fingerprint()
    {
        var random = new Random(_seed);
        for (var run = 0; run < Runs; run++)
        {
            var map = AnyMap(random);
            var read = ShardMapJson.Read(JsonNode.Parse(ShardMapJson.Write(map)!.ToJsonString())!);

            Assert.True(map.Fingerprint == read.Fingerprint, $"seed {_seed}, run {run}: {ShardMapJson.Write(map)}");
            Assert.Equal(map.GetType(), read.GetType());
            Assert.Equal(map.Shards, read.Shards);
        }
    }

    [Fact]
    public void A_key_of_any_type_that_was_written_reads_back_exactly()
    {
        ShardKey[] keys =
        [
            ShardKey.Of(short.MinValue), ShardKey.Of(int.MaxValue), ShardKey.Of(long.MinValue), ShardKey.Of(true), ShardKey.Of(Guid.NewGuid()), ShardKey.Of("'\"\\ü\U0001F600\n"), ShardKey.Of(string.Empty),
            ShardKey.Of(new byte[] { 0, 255, 7 }), ShardKey.Of(DateOnly.MinValue), ShardKey.Of(DateOnly.MaxValue), ShardKey.Of(new DateOnly(1999, 12, 31)),
            ShardKey.Of(DateTime.MaxValue), ShardKey.Of(new DateTime(2026, 11, 30, 1, 2, 3, 4, 5, DateTimeKind.Unspecified)), ShardKey.Of(new DateTime(1905, 1, 1, 0, 0, 0, DateTimeKind.Utc)),
        ];
        Assert.Equal(Enum.GetValues<ShardKeyType>().Order(), keys.Select(k => k.TypeOf(0)).Distinct().Order());
        foreach (var key in keys)
        {
            Assert.Equal(key, ShardKey.FromStored(key.TypeOf(0), key.ToStored(0)));
        }
    }

    [Fact]
    public void A_map_of_the_application_is_not_written() => Assert.Null(ShardMapJson.Write(new DirectoryShardMap(new OddMap(), [])));

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"kind":"moon","version":1,"prefixLength":0,"shards":["a"],"keyTypes":[]}""")]
    [InlineData("""{"kind":"hash","version":1,"prefixLength":0,"shards":["a"],"keyTypes":[],"assignment":[[1,4]]}""")]
    [InlineData("""{"kind":"hash","version":1,"prefixLength":0,"shards":["a"],"keyTypes":["int9"],"assignment":[[0,4]]}""")]
    public void Other_JSON_is_refused(string json) => Assert.Throws<FormatException>(() => ShardMapJson.Read(JsonNode.Parse(json)!));

    [Fact]
    public void An_entry_with_a_map_of_another_fingerprint_is_refused()
    {
        var json = CatalogMap.First("m", new HashShardMap(["a", "b"], 4)).ToJson();
        json["map"]!["assignment"] = ShardMapJson.WriteRuns([1, 1, 0, 0]);

        Assert.Contains("'m'", Assert.Throws<FormatException>(() => CatalogMap.From(json)).Message, StringComparison.Ordinal);
    }

    private static ShardMap AnyMap(Random random, bool isFallback = false)
    {
        string[] shards = [.. Enumerable.Range(0, random.Next(1, 6)).Select(i => $"s{random.Next(1_000)}-{i}")];
        ShardKeyType[]? types = random.Next(3) == 0 ? null : random.Next(2) == 0 ? [ShardKeyType.Int8] : [ShardKeyType.Text, ShardKeyType.Int4];
        var prefix = types?.Length == 2 && random.Next(2) == 0 ? 1 : 0;
        var version = random.NextInt64(1, 1_000);
        return random.Next(isFallback ? 2 : 5) switch
        {
            0 => new HashShardMap(shards, [.. Enumerable.Range(0, 1 << random.Next(0, 8)).Select(_ => shards[random.Next(shards.Length)])], types, prefix, version),
            1 => new RingShardMap(shards, random.Next(1, 40), types, prefix, version),
            2 => AnyRanges(random, shards, version),
            3 => new GeographicShardMap(
                Enumerable.Range(0, random.Next(1, 5)).Select(r => KeyValuePair.Create($"region {r}", (IReadOnlyList<string>)[$"a{r}", "common"])),
                random.Next(2) == 0 ? null : "region 0",
                random.Next(2) == 0 ? '/' : null,
                [ShardKeyType.Text, ShardKeyType.Uuid],
                version: version),
            _ => AnyDirectory(random, version),
        };
    }

    private static RangeShardMap AnyRanges(Random random, string[] shards, long version)
    {
        long[] bounds = [.. Enumerable.Range(0, random.Next(1, 10)).Select(_ => random.NextInt64()).Distinct().Order()];
        ShardRange[] ranges =
        [
            new(null, ShardKey.Of(bounds[0]), shards[0]),
            .. bounds.Zip(bounds.Skip(1)).Select(b => new ShardRange(ShardKey.Of(b.First), ShardKey.Of(b.Second), shards[random.Next(shards.Length)])),
            new(ShardKey.Of(bounds[^1]), null, shards[^1]),
        ];
        random.Shuffle(ranges);
        return new RangeShardMap(ranges, version);
    }

    private static DirectoryShardMap AnyDirectory(Random random, long version)
    {
        var below = AnyMap(random, isFallback: true);
        var keys = Enumerable.Range(0, random.Next(0, 8)).Select(i => below.KeyTypes.Count == 2 ? ShardKey.Composite(ShardKey.Of($"k{i}"), ShardKey.Of(i)) : ShardKey.Of((long)i));
        return new DirectoryShardMap(below, keys.Select(k => KeyValuePair.Create(k, random.Next(2) == 0 ? "own" : below.Shards[0])), ["own"], version);
    }

    private sealed class OddMap() : ShardMap(["a"])
    {
        protected override string FindShard(in ShardKey key) => "a";

        protected override string ExplainPlace(in ShardKey key) => "odd";

        protected override IEnumerable<string> Describe() => ["odd"];
    }
}
