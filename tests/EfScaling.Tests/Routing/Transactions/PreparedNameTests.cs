using System.Text;
using EfScaling.Routing.Transactions;
using EfScaling.Sharding;

namespace EfScaling.Tests.Routing.Transactions;

/// <summary>Whoever finds a prepared transaction knows by its name whom to ask, and every name of a shard can be part of it.</summary>
public sealed class PreparedNameTests
{
    [Theory]
    [InlineData("north")]
    [InlineData("a:b:c")]
    [InlineData("O'Neill")]
    [InlineData("größer")]
    public void A_name_is_read_back(string decider)
    {
        var name = new PreparedName(Guid.CreateVersion7(), 12, decider);
        Assert.Equal(name, PreparedName.Parse(name.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("efscaling:2:0123456789abcdef0123456789abcdef:1:a")]
    [InlineData("efscaling:1:0123456789abcdef0123456789abcdef:1")]
    [InlineData("efscaling:1:0123456789abcdef:1:a")]
    [InlineData("efscaling:1:0123456789abcdef0123456789abcdef:-1:a")]
    [InlineData("somebody else's")]
    public void Other_names_are_left_alone(string text) => Assert.Null(PreparedName.Parse(text));

    [Fact]
    public void The_longest_name_of_a_shard_fits() =>
        Assert.True(Encoding.UTF8.GetByteCount(new PreparedName(Guid.CreateVersion7(), int.MaxValue, new string('x', 128)).ToString()) < 200);

    [Fact]
    public void Statements_quote_the_name() =>
        Assert.Equal("COMMIT PREPARED 'efscaling:1:00000000000000000000000000000000:1:O''Neill'", new PreparedName(Guid.Empty, 1, "O'Neill").Statement("COMMIT PREPARED"));

    [Fact]
    public void Options_are_checked_where_they_are_set()
    {
        var builder = new ShardingOptionsBuilder();
        Assert.Throws<ArgumentException>(() => builder.AddShard(new string('x', 129), "Host=a"));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.CommitAcrossShards((CommitProtocol)2));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.CommitAcrossShards(CommitProtocol.TwoPhase, TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => builder.CommitAcrossShards(CommitProtocol.TwoPhase, TimeSpan.FromHours(2)));
        builder.CommitAcrossShards(CommitProtocol.BestEffort);
        Assert.Equal((CommitProtocol.BestEffort, TimeSpan.FromSeconds(5)), (builder.Options.CommitProtocol, builder.Options.LockTimeout));
    }
}
