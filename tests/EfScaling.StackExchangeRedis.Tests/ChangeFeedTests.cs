using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using EfScaling.Caching.StackExchangeRedis;
using EfScaling.Testing;

namespace EfScaling.StackExchangeRedis.Tests;

/// <summary>What the feed makes of lost messages, silence and another life of the server.</summary>
public sealed class ChangeFeedTests : IAsyncLifetime
{
    private const string Channel = "changed";

    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(20);

    private RedisServer _server = null!;
    private PlainRedis _redis = null!;
    private ChangeFeed _feed = null!;
    private ImmutableList<string?> _changed = [];

    public async ValueTask InitializeAsync()
    {
        _server = await RedisServer.StartAsync();
        _redis = new PlainRedis(_server);
        _feed = new ChangeFeed(_redis.Multiplexer, _redis.Multiplexer.GetDatabase(), "sequence", Channel, TimeProvider.System);
        _feed.Subscribe(version => ImmutableInterlocked.Update(ref _changed, static (all, added) => all.Add(added), version));
    }

    public async ValueTask DisposeAsync()
    {
        await _feed.DisposeAsync();
        _redis.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_feed_that_starts_reports_unnamed_changes_before_it_is_complete()
    {
        await CompleteAsync();

        Assert.Null(_changed[0]);
    }

    [Fact]
    public async Task Messages_in_order_are_reported_by_name()
    {
        var next = await CompleteAsync() + 1;
        _changed = [];

        Send("SET", "sequence", $"{next + 1}");
        Send("PUBLISH", Channel, $"{next} a b");
        Send("PUBLISH", Channel, $"{next + 1} c");

        await Eventually.ThatAsync(() => _changed.Contains("c"), _deadline, "the changes to be reported");
        Assert.Equal(["a", "b", "c"], _changed.Where(version => version is not null));
    }

    [Fact]
    public async Task A_message_that_was_missed_shows_by_the_next_change()
    {
        var next = await CompleteAsync() + 1;
        _changed = [];

        Send("PUBLISH", Channel, $"{next + 1} b");

        await Eventually.ThatAsync(() => _changed.Contains("b"), _deadline, "the change to be reported");
        Assert.Null(_changed[0]);
    }

    [Fact]
    public async Task A_message_that_was_missed_shows_by_the_next_beat()
    {
        await CompleteAsync();
        _changed = [];

        Send("INCR", "sequence");

        await Eventually.ThatAsync(() => !_changed.IsEmpty, _deadline, "the gap to be reported");
        Assert.Null(_changed[0]);
    }

    [Fact]
    public async Task What_makes_no_sense_counts_as_unnamed_changes()
    {
        await CompleteAsync();
        _changed = [];

        Send("PUBLISH", Channel, "nonsense");

        await Eventually.ThatAsync(() => !_changed.IsEmpty, _deadline, "the message to be reported");
        Assert.Null(_changed[0]);
    }

    [Fact]
    public async Task A_silent_server_is_not_trusted_and_one_that_goes_on_is_another_feed()
    {
        await CompleteAsync();

        await _server.SuspendAsync();
        await Eventually.ThatAsync(() => !_feed.IsComplete, _deadline, "the silence to be noticed");
        await Eventually.ThatAsync(() => _feed.Incarnation is null, _deadline, "the server not to be known any more");
        _changed = [];
        await _server.ContinueAsync();

        await Eventually.ThatAsync(() => _feed.IsComplete, _deadline, "the feed to be complete again");
        Assert.Contains(null, _changed);
    }

    [Fact]
    public async Task A_restarted_server_has_another_incarnation()
    {
        await CompleteAsync();
        var before = _feed.Incarnation;
        Assert.NotNull(before);

        await _server.KillAsync();
        await _server.StartAsync();
        _redis.Reconnect();

        await Eventually.ThatAsync(() => _feed.Incarnation is { } after && after != before, _deadline, "the new life to be noticed");
    }

    private async Task<long> CompleteAsync()
    {
        await Eventually.ThatAsync(() => _feed.IsComplete && _feed.Incarnation is not null, _deadline, "the feed to be complete");
        return long.Parse((byte[])Send("GET", "sequence")!, CultureInfo.InvariantCulture);
    }

    private object? Send(params string[] words)
    {
        using var connection = new RespConnection(_server.Host, _server.Port);
        return connection.Send([.. words.Select(Encoding.UTF8.GetBytes)]);
    }
}
