using EfScaling.Sharding;

namespace EfScaling.Tests.Sharding;

public sealed class RingShardMapTests : ShardMapContractTests
{
    [Fact]
    public void A_shard_added_to_n_takes_at_most_1_3_nths_of_the_keys_and_no_other_key_moves()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        for (var shards = 1; shards <= 48; shards += random.Next(1, 4))
        {
            var map = new RingShardMap(Enumerable.Range(0, shards).Select(s => $"shard-{seed}-{s}"));
            var next = map.WithShard($"shard-{seed}-new");
            const int Keys = 50_000;
            var moved = 0;
            for (var at = 0; at < Keys; at++)
            {
                var key = ShardKey.Of(random.NextInt64());
                if (next.ShardOf(key) is var shard && shard != map.ShardOf(key))
                {
                    Assert.Equal($"shard-{seed}-new", shard);
                    moved++;
                }
            }

            Assert.True(moved <= 1.3 / shards * Keys, $"seed {seed}: {moved} of {Keys} keys moved to one more than {shards} shards");
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    [InlineData(32)]
    public void Shares_differ_by_no_more_than_a_third(int shards)
    {
        // With 256 arcs the deviation of a share is about 1/16 of it; a third is five of them.
        var seed = Random.Shared.NextInt64(1L << 40);
        var map = new RingShardMap(Enumerable.Range(0, shards).Select(s => $"s{s}-{seed}"));
        var keys = 10_000 * shards;
        int[] counts = [.. Enumerable.Range(0, keys).CountBy(i => map.ShardOf(ShardKey.Of(seed + i))).Select(c => c.Value)];

        Assert.Equal(shards, counts.Length);
        Assert.True(counts.All(c => c is > 6_667 and < 13_333), $"seed {seed}: {counts.Min()} to {counts.Max()} of 10000");
    }

    [Fact]
    public void Order_of_the_shards_does_not_matter()
    {
        var (map, other) = (new RingShardMap(["a", "b", "c"]), new RingShardMap(["c", "a", "b"]));

        Assert.All(Keys(), key => Assert.Equal(map.ShardOf(key), other.ShardOf(key)));
    }

    [Fact]
    public void Faults_are_told_at_once()
    {
        var message = Assert.Throws<ArgumentException>(() => new RingShardMap(["a", "a"], virtualNodes: 0)).Message;

        Assert.All(["2 reasons", "'a' is named more than once", "'virtualNodes' from 1 to 4096"], words => Assert.Contains(words, message, StringComparison.Ordinal));
    }

    protected override ShardMap Create(long version = 1) => new RingShardMap(["s0", "s1", "s2"], version: version);

    protected override ShardKey KeyOf(Random random) => ShardKey.Composite(ShardKey.Of(Guid.NewGuid()), ShardKey.Of(random.NextInt64()));
}
