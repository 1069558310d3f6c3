using System.Globalization;
using EfScaling.Sharding;

namespace EfScaling.Tests.Sharding;

/// <summary>A map as a user writes one.</summary>
public sealed class OwnShardMapTests : ShardMapContractTests
{
    [Fact]
    public void Keys_are_checked_before_the_rule_sees_them()
    {
        Assert.Equal(ShardKeyRefusal.WrongType, Assert.Throws<ShardKeyException>(() => Create().ShardOf(ShardKey.Of(1))).Reason);
        Assert.Equal(ShardKeyRefusal.WrongColumns, Assert.Throws<ShardKeyException>(() => Create().ShardOf(ShardKey.Composite(ShardKey.Of(1L), ShardKey.Of(1L)))).Reason);
    }

    [Fact]
    public void Faults_are_told_at_once()
    {
        var message = Assert.Throws<ArgumentException>(() => new OddAndEven(["a", "a"], -1)).Message;

        Assert.Contains("2 reasons", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_buckets_a_key_has_none()
    {
        Assert.Equal(0, Create().BucketCount);
        Assert.Null(Create().BucketOf(ShardKey.Of(1L)));
    }

    protected override ShardMap Create(long version = 1) => new OddAndEven(["even", "odd"], version);

    protected override ShardKey KeyOf(Random random) => ShardKey.Of(random.NextInt64(1_000_000, long.MaxValue));

    private sealed class OddAndEven(string[] shards, long version) : ShardMap(shards, [ShardKeyType.Int8], version: version)
    {
        protected override string FindShard(in ShardKey key) => Shards[(int)(key.GetInt64() & 1)];

        protected override string ExplainPlace(in ShardKey key) => string.Create(CultureInfo.InvariantCulture, $"remainder {key.GetInt64() & 1} of 2");

        protected override IEnumerable<string> Describe() => ["odd and even"];
    }
}
