using EfScaling.Replication.ChangeStream;

namespace EfScaling.Tests.Replication.ChangeStream;

public sealed class ChangeStreamOptionsTests
{
    [Theory]
    [InlineData("")]
    [InlineData("Upper")]
    [InlineData("two words")]
    [InlineData("quote\"")]
    [InlineData("semi;colon")]
    [InlineData("umläut")]
    [InlineData("a123456789012345678901234567890123456789012345678901234567890")]
    public void Names_that_would_need_quotes_are_refused(string name)
    {
        Assert.ThrowsAny<ArgumentException>(() => new ChangeStreamOptions { Slot = name });
        Assert.ThrowsAny<ArgumentException>(() => new ChangeStreamOptions { Publication = name });
    }

    [Fact]
    public void The_stream_is_named_after_its_slot_unless_it_has_a_name()
    {
        Assert.Equal("efscaling_cache", new ChangeStreamOptions().Name);
        Assert.Equal("shard_1", new ChangeStreamOptions { Slot = "shard_1" }.Name);
        Assert.Equal("orders", new ChangeStreamOptions { Slot = "shard_1", Name = "orders" }.Name);
    }
}
