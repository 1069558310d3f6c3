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
    public void Limit_of_the_retained_log_is_more_than_nothing() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new ChangeStreamOptions { RetentionLimit = 0 });
}
