using EfScaling.Consistency;
using EfScaling.Topology;

namespace EfScaling.Tests.Consistency;

/// <summary>Sessions while a connection is open on which anything may be written, and what an answer of the primary settles.</summary>
public sealed class HeldSessionTests
{
    private static readonly ServerIdentity _cluster = new(SystemId: 7, Timeline: 1);

    private readonly ManualClock _clock = new();
    private readonly SessionProgress _progress = new(string.Empty);

    [Fact]
    public void Token_needs_a_position_of_now_for_as_long_as_the_connection_is_open()
    {
        Assert.Equal(Moment.Never, _progress.UnknownSince(_cluster, _clock.Now));

        _progress.Hold();
        Assert.Equal(_clock.Advance(1.Seconds()), _progress.UnknownSince(_cluster, _clock.Now));
        _progress.Settle(Answer(100), _cluster);
        Assert.Equal(_clock.Advance(1.Seconds()), _progress.UnknownSince(_cluster, _clock.Now));
    }

    [Fact]
    public void Token_without_an_answer_says_that_more_may_have_been_written()
    {
        _progress.Hold();

        Assert.Equal(ShardPosition.Anywhere, Assert.Single(_progress.Settle(null, _cluster).Positions).SeenOn);
        Assert.Equal(ShardPosition.Nowhere, Assert.Single(_progress.Settle(Answer(100), _cluster).Positions).SeenOn);
    }

    [Fact]
    public void End_of_the_connection_counts_as_a_write_unless_its_commit_is_known()
    {
        _progress.Hold();
        _progress.Release(Moment.Never);
        Assert.Equal(Moment.Never, _progress.UnknownSince(_cluster, _clock.Now));

        _progress.Hold();
        _progress.Release(_clock.Now);
        Assert.Equal(_clock.Now, _progress.UnknownSince(_cluster, _clock.Advance(1.Seconds())));
    }

    [Fact]
    public void Answer_settles_what_an_earlier_token_left_open()
    {
        _progress.Use(new ConsistencyToken([new ShardPosition(string.Empty, 7, 1, new WalPosition(50), ShardPosition.Anywhere)]), _clock.Now);
        _progress.Wrote(_clock.Advance(1.Seconds()));

        Assert.Equal(new ShardPosition(string.Empty, 7, 1, new WalPosition(100)), Assert.Single(_progress.Settle(Answer(100), _cluster).Positions));
    }

    private ServerPosition Answer(ulong position) => new(_cluster, new WalPosition(position), _clock.Advance(1.Seconds()));
}
