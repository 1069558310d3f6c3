using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EfScaling.Consistency;
using StackExchange.Redis;

namespace EfScaling.Caching.StackExchangeRedis;

/// <summary>Hears which versions change, and knows whether it hears all of them and from which life of the server.</summary>
/// <remarks>
/// Sends a beat through the channel several times a second. What was published before a beat was delivered before it came back, so the feed is complete up to the
/// moment at which the beat was sent. Messages carry a sequence, so that a gap shows. Thread-safe.
/// </remarks>
internal sealed class ChangeFeed : IAsyncDisposable
{
    /// <summary>How long after its last sign of life the channel is still trusted.</summary>
    public static readonly TimeSpan Trust = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(300);

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly string _id = Guid.NewGuid().ToString("N");
    private readonly IConnectionMultiplexer _multiplexer;
    private readonly IDatabase _database;
    private readonly RedisKey _sequenceKey;
    private readonly string _channel;
    private readonly TimeProvider _clock;
    private readonly Task _beating;
    private ChannelMessageQueue? _messages;
    private ImmutableArray<Action<string?>> _subscribers = [];
    private long? _sequence;
    private Moment _heardUpTo = Moment.Never;
    private long? _incarnation;

    // Raised with each break, so that what was under way before it cannot undo it.
    private int _breaks;

    public ChangeFeed(IConnectionMultiplexer multiplexer, IDatabase database, RedisKey sequence, string channel, TimeProvider clock)
    {
        (_multiplexer, _database, _sequenceKey, _channel, _clock) = (multiplexer, database, sequence, channel, clock);
        multiplexer.ConnectionFailed += OnConnection;
        multiplexer.ConnectionRestored += OnConnection;
        multiplexer.ConfigurationChanged += OnConfiguration;
        _beating = Task.Run(BeatAllTheTimeAsync);
    }

    /// <summary>Gets which life of the server answers; <see langword="null"/> while that is not known.</summary>
    public long? Incarnation
    {
        get
        {
            lock (_lock)
            {
                return _incarnation;
            }
        }
    }

    /// <summary>Gets whether every change is heard at present.</summary>
    public bool IsComplete
    {
        get
        {
            lock (_lock)
            {
                return _multiplexer.IsConnected && _heardUpTo.Until(Moment.Now(_clock), _clock) <= Trust;
            }
        }
    }

    /// <summary>Asks to be told of each change.</summary>
    public void Subscribe(Action<string?> changed) => ImmutableInterlocked.Update(ref _subscribers, static (all, added) => all.Add(added), changed);

    /// <summary>Takes in a message of the channel. Not called by two at once.</summary>
    internal void Hear(string message)
    {
        var mark = message.AsSpan().IndexOfAny(' ', '@');
        if (mark < 0 || !long.TryParse(message.AsSpan(0, mark), CultureInfo.InvariantCulture, out var sequence))
        {
            Report(null);
            return;
        }

        var isBeat = message[mark] == '@';
        var rest = message.AsSpan(mark + 1);
        int breaks;
        bool isGap;
        lock (_lock)
        {
            // The same again: two subscriptions where the first was thought to have failed.
            isGap = _sequence is not { } last || (sequence != last && (isBeat || sequence != last + 1));
            _sequence = sequence;
            breaks = _breaks;
        }

        if (isGap)
        {
            Report(null);
        }

        if (!isBeat)
        {
            foreach (var name in rest.Split(' '))
            {
                Report(rest[name].ToString());
            }
        }
        else if (rest.StartsWith(_id, StringComparison.Ordinal) && long.TryParse(rest[(_id.Length + 1)..], CultureInfo.InvariantCulture, out var sent))
        {
            lock (_lock)
            {
                // Only now: whoever sees the feed complete has been told of the gap.
                _heardUpTo = breaks == _breaks ? Moment.Later(_heardUpTo, new Moment(sent)) : _heardUpTo;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _multiplexer.ConnectionFailed -= OnConnection;
        _multiplexer.ConnectionRestored -= OnConnection;
        _multiplexer.ConfigurationChanged -= OnConfiguration;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _beating.ConfigureAwait(false);
        _stop.Dispose();
        _messages?.Unsubscribe(CommandFlags.FireAndForget);
    }

    private static long IncarnationOf(string life) => BinaryPrimitives.ReadInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(life)));

    private async Task BeatAllTheTimeAsync()
    {
        using var timer = new PeriodicTimer(Interval, _clock);
        try
        {
            do
            {
                await BeatAsync().ConfigureAwait(false);
            }
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
    }

    private async Task BeatAsync()
    {
        int breaks;
        lock (_lock)
        {
            breaks = _breaks;
        }

        try
        {
            Listen();
            var beat = string.Create(CultureInfo.InvariantCulture, $"{_id}:{_clock.GetTimestamp()}");
            var life = (string?)await _database.ScriptEvaluateAsync(StoreScripts.Beat, [_sequenceKey], [_channel, FreshValue.Next(), beat])
                .WaitAsync(Trust, _clock, _stop.Token).ConfigureAwait(false);
            lock (_lock)
            {
                _incarnation = breaks == _breaks && life is not null ? IncarnationOf(life) : _incarnation;
            }
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            Break();
        }
    }

    // The library subscribes again by itself after each loss of the connection. A queue of its own, because plain handlers are called in any order.
    private void Listen()
    {
        if (_messages is null)
        {
            _messages = _multiplexer.GetSubscriber().Subscribe(RedisChannel.Literal(_channel), CommandFlags.FireAndForget);
            _messages.OnMessage(message => Hear(message.Message.ToString()));
        }
    }

    private void OnConnection(object? sender, ConnectionFailedEventArgs change) => Break();

    private void OnConfiguration(object? sender, EndPointEventArgs change) => Break();

    // Messages may be lost, and another server may answer from now on.
    private void Break()
    {
        lock (_lock)
        {
            _breaks++;
            _sequence = null;
            _heardUpTo = Moment.Never;
            _incarnation = null;
        }
    }

    private void Report(string? version)
    {
        foreach (var changed in _subscribers)
        {
            changed(version);
        }
    }
}
