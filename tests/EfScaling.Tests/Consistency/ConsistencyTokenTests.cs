using EfScaling.Consistency;

namespace EfScaling.Tests.Consistency;

public sealed class ConsistencyTokenTests
{
    // Positions as "shard system timeline position seenOn", several separated by commas; "?" is unknown.
    [Theory]
    [InlineData("", "", "")]
    [InlineData("a 1 1 100 0", "", "a 1 1 100 0")]
    [InlineData("", "a 1 1 100 0", "a 1 1 100 0")]
    [InlineData("a 1 1 100 0", "a 1 1 200 0", "a 1 1 200 0")] // the later position
    [InlineData("a 1 1 200 0", "a 1 1 100 0", "a 1 1 200 0")]
    [InlineData("a 1 2 100 0", "a 1 1 200 0", "a 1 2 100 0")] // the later history, whatever the positions
    [InlineData("a 1 1 200 0", "a 1 2 100 0", "a 1 2 100 0")]
    [InlineData("a 1 1 100 0", "b 1 1 50 0", "a 1 1 100 0,b 1 1 50 0")] // shards apart
    [InlineData("b 1 1 50 0", "a 1 1 100 0", "a 1 1 100 0,b 1 1 50 0")]
    [InlineData("a 2 1 100 0", "a 1 1 50 0", "a 1 1 50 0,a 2 1 100 0")] // clusters apart
    [InlineData("a 1 1 100 0", "a 1 1 100 77", "a 1 1 100 77")] // where it was seen
    [InlineData("a 1 1 100 77", "a 1 1 200 77", "a 1 1 200 77")]
    [InlineData("a 1 1 100 77", "a 1 1 100 88", "a 1 1 100 1")] // on several servers
    [InlineData("a 1 1 100 1", "a 1 1 100 88", "a 1 1 100 1")]
    [InlineData("?", "", "?")]
    [InlineData("", "?", "?")]
    [InlineData("a 1 1 100 0", "?", "a 1 1 100 0,?")]
    public void Merging_asks_for_what_both_ask_for(string left, string right, string expected)
    {
        Assert.Equal(Token(expected), Token(left).Merge(Token(right)));
        Assert.Equal(Token(expected).GetHashCode(), Token(left).Merge(Token(right)).GetHashCode());
    }

    [Fact]
    public void Merging_is_commutative_associative_and_idempotent()
    {
        var random = new Random(20_261_121);
        for (var round = 0; round < 2_000; round++)
        {
            var (a, b, c) = (Some(random), Some(random), Some(random));
            Assert.Equal(a.Merge(b), b.Merge(a));
            Assert.Equal(a.Merge(b).Merge(c), a.Merge(b.Merge(c)));
            Assert.Equal(a, a.Merge(a));
        }
    }

    [Theory]
    [InlineData("", 1, false)]
    [InlineData("a 1 1 100 0", 1, false)]
    [InlineData("a 2 1 100 0", 1, true)]
    [InlineData("a 2 1 100 0,a 1 1 100 0", 1, false)]
    [InlineData("b 2 1 100 0", 1, false)] // says nothing of this shard
    public void A_token_is_foreign_to_a_cluster_if_it_knows_the_shard_only_elsewhere(string token, ulong systemId, bool isForeign) =>
        Assert.Equal(isForeign, Token(token).IsForeignTo("a", systemId));

    [Theory]
    [InlineData("", "none")]
    [InlineData("?", "unknown")]
    [InlineData("a 7 2 4294967296 0", "a7:2:1/0")]
    public void Is_written_for_logs(string token, string expected) => Assert.Equal(expected, Token(token).ToString());

    internal static ConsistencyToken Token(string text)
    {
        var token = ConsistencyToken.None;
        foreach (var part in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            token = token.Merge(part == "?" ? ConsistencyToken.Unknown : new ConsistencyToken([Position(part.Split(' '))]));
        }

        return token;
    }

    internal static ConsistencyToken Some(Random random) => Enumerable.Range(0, random.Next(4)).Aggregate(
        random.Next(8) == 0 ? ConsistencyToken.Unknown : ConsistencyToken.None,
        (token, _) => token.Merge(new ConsistencyToken(
        [
            new ShardPosition(
                new string('s', random.Next(3)), (ulong)random.Next(2), (uint)random.Next(1, 3), new WalPosition((ulong)random.NextInt64()), (ulong)random.Next(4)),
        ])));

    private static ShardPosition Position(string[] fields) => new(
        fields[0],
        ulong.Parse(fields[1], null),
        uint.Parse(fields[2], null),
        new WalPosition(ulong.Parse(fields[3], null)),
        ulong.Parse(fields[4], null));
}
