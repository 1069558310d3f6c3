using EfScaling.Consistency;
using EfScaling.Topology;

namespace EfScaling.Tests.Consistency;

public sealed class SessionProgressTests
{
    private const ulong ServerA = 1_000_001;
    private const ulong ServerB = 1_000_002;

    private static readonly ServerIdentity _primary = new(1, 1, 5);

    private readonly ManualClock _clock = new();
    private readonly SessionProgress _progress = new(string.Empty);

    [Fact]
    public void A_new_session_asks_for_nothing()
    {
        Assert.Equal(Demand.None, _progress.Demand(_primary));
        Assert.Equal(Moment.Never, _progress.UnknownSince(_primary, _clock.Now));
        Assert.Equal(ConsistencyToken.None, _progress.Settle(null, _primary));
    }

    [Fact]
    public void A_write_without_a_position_asks_for_everything_committed_before_it_ended()
    {
        _progress.Wrote(_clock.Now);
        var later = _clock.Advance(1.Seconds());
        _progress.Wrote(later);

        Assert.Equal(Demand.None with { Floor = later, HasWritten = true }, _progress.Demand(_primary));
        Assert.Equal(later, _progress.UnknownSince(_primary, _clock.Now));
    }

    [Fact]
    public void A_write_with_a_position_asks_for_the_highest()
    {
        _progress.Wrote(_primary, new WalPosition(200));
        _progress.Wrote(_primary, new WalPosition(100));

        Assert.Equal(Demand.None with { Position = new WalPosition(200), HasWritten = true }, _progress.Demand(_primary));
        Assert.Equal(Moment.Never, _progress.UnknownSince(_primary, _clock.Now));
        Assert.Equal(ConsistencyTokenTests.Token(" 1 1 200 0"), _progress.Settle(null, _primary));
    }

    [Fact]
    public void After_a_read_another_server_must_show_all_that_was_committed_before_it_ended()
    {
        var ended = _clock.Now;
        _progress.Read(ServerA, ended);

        Assert.Equal(Demand.None with { LastServer = ServerA, LastRead = ended }, _progress.Demand(_primary));
        Assert.Equal(ConsistencyTokenTests.Token($" 1 1 0 {ServerA}"), _progress.Settle(null, _primary));
    }

    [Fact]
    public void After_reads_of_two_servers_at_once_each_must_show_what_the_other_one_showed()
    {
        var ended = _clock.Now;
        _progress.Read(ServerA, ended);
        var later = _clock.Advance(1.Milliseconds());
        _progress.Read(ServerB, later);

        Assert.Equal(Demand.None with { Floor = ended, LastServer = ServerB, LastRead = later }, _progress.Demand(_primary));
        Assert.Equal(ConsistencyTokenTests.Token(" 1 1 0 1"), _progress.Settle(null, _primary));
    }

    [Fact]
    public void After_a_read_of_the_primary_every_replica_must_show_all_that_was_committed_before_it_ended()
    {
        var ended = _clock.Now;
        _progress.Read(server: 0, ended);

        Assert.Equal(Demand.None with { Floor = ended }, _progress.Demand(_primary));

        // No round trip for a token: whoever reads next finds out.
        Assert.Equal(Moment.Never, _progress.UnknownSince(_primary, _clock.Now));
        Assert.Equal(ConsistencyTokenTests.Token(" 1 1 0 1"), _progress.Settle(null, _primary));
    }

    [Fact]
    public void A_position_of_the_primary_settles_what_came_before_the_question()
    {
        _progress.Wrote(_clock.Now);
        _progress.Read(ServerA, _clock.Advance(1.Milliseconds()));
        var asked = _clock.Advance(1.Milliseconds());

        Assert.Equal(ConsistencyTokenTests.Token(" 1 1 300 0"), _progress.Settle(new ServerPosition(_primary, new WalPosition(300), asked), _primary));
        Assert.Equal(Demand.None with { Position = new WalPosition(300), HasWritten = true }, _progress.Demand(_primary));
    }

    [Fact]
    public void A_position_of_the_primary_does_not_settle_what_came_after_the_question()
    {
        var asked = _clock.Now;
        _progress.Wrote(_clock.Advance(1.Milliseconds()));
        _progress.Read(ServerA, _clock.Advance(1.Milliseconds()));

        Assert.Equal(ConsistencyTokenTests.Token(" 1 1 300 1"), _progress.Settle(new ServerPosition(_primary, new WalPosition(300), asked), _primary));
        var demand = _progress.Demand(_primary);
        Assert.True(demand.Floor > asked && demand.LastRead > asked);
    }

    [Fact]
    public void When_the_primary_does_not_answer_the_token_says_that_more_was_written()
    {
        _progress.Wrote(_clock.Now);

        Assert.Equal(ConsistencyTokenTests.Token(" 1 1 0 1"), _progress.Settle(null, _primary));
        Assert.Equal(ConsistencyToken.Unknown, _progress.Settle(null, identity: null));
    }

    // Token, what the present primary is, whether the read goes there.
    [Theory]
    [InlineData("", 1, 1, false)]
    [InlineData(" 1 1 100 0", 1, 1, false)]
    [InlineData(" 1 1 100 0", 1, 2, true)] // an earlier history
    [InlineData(" 1 2 100 0", 1, 1, true)] // a later one, of which this process does not know yet
    [InlineData(" 1 1 100 0", 2, 1, true)] // another cluster
    [InlineData("x 1 1 100 0", 2, 1, false)] // another shard
    [InlineData("?", 1, 1, true)]
    public void A_token_that_cannot_be_compared_sends_reads_to_the_primary(string token, ulong systemId, uint timeline, bool needsPrimary)
    {
        _progress.Use(ConsistencyTokenTests.Token(token), _clock.Now);

        Assert.Equal(needsPrimary, _progress.Demand(new ServerIdentity(systemId, timeline, 5)).NeedsPrimary);
    }

    [Theory]
    [InlineData(" 1 1 100 0", " 1 2 50 0")]
    [InlineData(" 9 1 100 0", " 1 2 50 0, 9 1 100 0")] // what was written to another cluster stays
    [InlineData("?", " 1 2 50 0")]
    public void A_position_of_the_primary_replaces_a_token_that_cannot_be_compared(string token, string settled)
    {
        var primary = new ServerIdentity(1, 2, 5);
        _progress.Use(ConsistencyTokenTests.Token(token), _clock.Now);
        Assert.Equal(_clock.Now, _progress.UnknownSince(primary, _clock.Now));
        Assert.Equal(ConsistencyTokenTests.Token(token), _progress.Settle(null, primary));

        Assert.Equal(ConsistencyTokenTests.Token(settled), _progress.Settle(new ServerPosition(primary, new WalPosition(50), _clock.Now), primary));
        Assert.False(_progress.Demand(primary).NeedsPrimary);
    }

    [Theory]
    [InlineData(ServerA)]
    [InlineData(ShardPosition.Anywhere)]
    public void What_a_token_saw_on_a_server_was_committed_before_the_token_came(ulong seenOn)
    {
        _progress.Use(ConsistencyTokenTests.Token($" 1 1 100 {seenOn}"), _clock.Now);

        var expected = Demand.None with { Position = new WalPosition(100), HasWritten = true, GivenAt = _clock.Now };
        Assert.Equal(
            seenOn == ServerA ? expected with { LastServer = ServerA, LastRead = _clock.Now } : expected with { Floor = _clock.Now },
            _progress.Demand(_primary));
    }

    [Fact]
    public void A_session_that_stays_on_a_server_hands_on_that_server_however_it_began()
    {
        // The request before saw the primary.
        _progress.Use(ConsistencyTokenTests.Token(" 1 1 100 1"), _clock.Now);
        Assert.Equal(_clock.Now, _progress.SeenSince);

        // This one learns a position on the way to its replica.
        var asked = _clock.Advance(1.Milliseconds());
        _progress.Read(ServerA, _clock.Advance(1.Milliseconds()));

        Assert.Equal(ConsistencyTokenTests.Token($" 1 1 300 {ServerA}"), _progress.Settle(new ServerPosition(_primary, new WalPosition(300), asked), _primary));
        Assert.Equal(Moment.Never, _progress.SeenSince);
        Assert.Equal(ServerA, _progress.Demand(_primary).LastServer);
    }

    [Fact]
    public void Forgets_everything_for_the_next_lease()
    {
        _progress.Use(ConsistencyTokenTests.Token("?, 1 1 100 77"), _clock.Now);
        _progress.Wrote(_clock.Now);
        _progress.Read(ServerA, _clock.Now);
        _progress.Read(0, _clock.Now);

        _progress.Forget();

        Assert.Equal(Demand.None, _progress.Demand(_primary));
        Assert.Equal(ConsistencyToken.None, _progress.Token);
    }

    [Theory]
    [InlineData(0UL, 0UL, 0UL, false)]
    [InlineData(ServerA, 0UL, ServerA, false)]
    [InlineData(0UL, ServerB, ServerB, false)]
    [InlineData(ServerA, ServerA, ServerA, false)]
    [InlineData(ServerA, ServerB, ServerB, true)] // what the first showed must be visible everywhere
    public void Demands_of_a_context_and_its_session_add_up(ulong first, ulong second, ulong server, bool raisesFloor)
    {
        var (earlier, later) = (_clock.Now, _clock.Advance(1.Seconds()));
        var left = Demand.None with { Position = new WalPosition(1), LastServer = first, LastRead = first == 0 ? Moment.Never : earlier };
        var right = Demand.None with { Position = new WalPosition(2), LastServer = second, LastRead = second == 0 ? Moment.Never : later, HasWritten = true };

        var both = left.Merge(right);

        Assert.Equal((new WalPosition(2), server, true), (both.Position, both.LastServer, both.HasWritten));
        Assert.Equal(raisesFloor ? earlier : Moment.Never, both.Floor);
        Assert.Equal(second != 0 ? later : first != 0 ? earlier : Moment.Never, both.LastRead);
    }
}
