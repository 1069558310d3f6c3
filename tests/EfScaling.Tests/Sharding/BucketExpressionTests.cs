using EfScaling.Sharding;

namespace EfScaling.Tests.Sharding;

/// <summary>The form of the SQL; the integration tests compare its values with the server's.</summary>
public sealed class BucketExpressionTests
{
    [Fact]
    public void One_column_needs_one_hash() =>
        Assert.Equal("(((hashint8extended(k, 8816678312871386365) & 1023) + 227) & 1023)", BucketExpression.Of([("k", ShardKeyType.Int8)], 1_024));

    [Fact]
    public void As_many_columns_as_a_key_can_have_are_taken_and_no_more()
    {
        var columns = Enumerable.Repeat(("k", ShardKeyType.Text), ShardKey.MaxColumns).ToArray();

        Assert.Equal(8, BucketExpression.Of(columns, HashShardMap.MaxBucketCount).Split("# ").Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => BucketExpression.Of([.. columns, ("k", ShardKeyType.Text)], 1_024));
        Assert.Throws<ArgumentOutOfRangeException>(() => BucketExpression.Of([], 1_024));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1_000)]
    [InlineData(131_072)]
    public void Other_numbers_of_buckets_are_refused(int buckets) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => BucketExpression.Of([("k", ShardKeyType.Int8)], buckets));
}
