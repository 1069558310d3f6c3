using System.Globalization;
using System.Net;
using StackExchange.Redis;

namespace EfScaling.Caching.StackExchangeRedis;

/// <summary>Keeps the query cache in the Redis that an application already talks to through its <see cref="IConnectionMultiplexer"/>.</summary>
/// <remarks>
/// <para>
/// Asynchronous calls take no longer than <see cref="StackExchangeRedisStoreOptions.MaxWait"/>. Synchronous calls take no longer than the multiplexer's
/// <c>SyncTimeout</c>, which is 5 s unless the application sets it. After three failures in a row the store is left alone for two seconds. Each read, write and
/// bump is one round trip.
/// </para>
/// <para>
/// Changes come through publish and subscribe, not through tracking, which StackExchange.Redis cannot do: each change is one more message to every process.
/// With a <c>ChannelPrefix</c> set on the multiplexer nothing is heard, and <see cref="IsReporting"/> stays <see langword="false"/>.
/// </para>
/// <para>
/// Which server answers is asked several times a second and after each change of the connection; while it is not known, reads fail. A server that came back
/// with older data while its connection seemed to stay is noticed within 300 ms. The library sends a command once; do not retry for it. Thread-safe.
/// </para>
/// </remarks>
public sealed class MultiplexerCacheStore : ICacheStore
{
    private const int FailuresInARow = 3;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private readonly IConnectionMultiplexer _multiplexer;
    private readonly IDatabase _database;
    private readonly StackExchangeRedisStoreOptions _options;
    private readonly TimeProvider _clock;
    private readonly StoreCircuit _circuit;
    private readonly ChangeFeed _feed;
    private readonly RedisValue _holder = Guid.NewGuid().ToString("N");
    private readonly string _channel;

    /// <summary>Makes a store over a multiplexer that stays the application's own: disposing the store does not dispose it.</summary>
    /// <param name="multiplexer">How Redis is talked to. It need not be connected yet.</param>
    /// <param name="options">Settings; <see langword="null"/> for the defaults.</param>
    /// <param name="clock">Measures all times but those that Redis itself measures; <see langword="null"/> for the system's.</param>
    public MultiplexerCacheStore(IConnectionMultiplexer multiplexer, StackExchangeRedisStoreOptions? options = null, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(multiplexer);
        _multiplexer = multiplexer;
        _options = options ?? new StackExchangeRedisStoreOptions();
        _clock = clock ?? TimeProvider.System;
        _circuit = new StoreCircuit(FailuresInARow, Pause, _clock);
        _database = multiplexer.GetDatabase(_options.Database);

        // Channels know no databases.
        _channel = string.Create(CultureInfo.InvariantCulture, $"{_options.KeyPrefix}changed:{_database.Database}");
        _feed = new ChangeFeed(multiplexer, _database, Key("sequence"), _channel, _clock);
        Name = $"redis {string.Join(", ", multiplexer.GetEndPoints(configuredOnly: true).Select(Address))}";
    }

    /// <inheritdoc />
    public string Name { get; }

    /// <inheritdoc />
    public bool IsReporting => _feed.IsComplete;

    /// <inheritdoc />
    public string? Outage => _multiplexer.IsConnected ? _circuit.Outage : NotConnected;

    private string NotConnected => $"'{Name}' is not connected.";

    /// <inheritdoc />
    public void Subscribe(Action<string?> changed)
    {
        ArgumentNullException.ThrowIfNull(changed);
        _feed.Subscribe(changed);
    }

    /// <inheritdoc />
    public CacheReading Read(string? entry, IReadOnlyList<string> versions)
    {
        var incarnation = _feed.Incarnation;
        var (keys, values) = ReadArguments(entry, versions);
        return Reading(Try(() => _database.ScriptEvaluate(StoreScripts.Read, keys, values)), incarnation, versions.Count);
    }

    /// <inheritdoc />
    public async ValueTask<CacheReading> ReadAsync(string? entry, IReadOnlyList<string> versions, CancellationToken cancellationToken)
    {
        var incarnation = _feed.Incarnation;
        var (keys, values) = ReadArguments(entry, versions);
        var reply = await TryAsync(() => _database.ScriptEvaluateAsync(StoreScripts.Read, keys, values), cancellationToken).ConfigureAwait(false);
        return Reading(reply, incarnation, versions.Count);
    }

    /// <inheritdoc />
    public async ValueTask<CacheAnswer> WriteAsync(string entry, ReadOnlyMemory<byte> value, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        // Copied, because a command that nobody waits for any more may still be sent.
        var copy = value.ToArray();
        return Answer(await TryAsync(
            () => _database.StringSetAsync(EntryKey(entry), copy, Within(timeToLive), When.Always, CommandFlags.None), cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc />
    public async ValueTask<CacheAnswer> ProlongAsync(string entry, TimeSpan timeToLive, CancellationToken cancellationToken) =>
        Answer(await TryAsync(
            () => _database.KeyExpireAsync(EntryKey(entry), Within(timeToLive), ExpireWhen.Always, CommandFlags.None), cancellationToken).ConfigureAwait(false));

    /// <inheritdoc />
    public CacheAnswer Bump(IReadOnlyList<string> versions, CacheIntent? intent)
    {
        var (keys, values) = BumpArguments(versions, intent);
        return Answer(Try(() => _database.ScriptEvaluate(StoreScripts.Bump, keys, values)));
    }

    /// <inheritdoc />
    public async ValueTask<CacheAnswer> BumpAsync(IReadOnlyList<string> versions, CacheIntent? intent, CancellationToken cancellationToken)
    {
        var (keys, values) = BumpArguments(versions, intent);
        return Answer(await TryAsync(() => _database.ScriptEvaluateAsync(StoreScripts.Bump, keys, values), cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc />
    public async ValueTask<CacheAnswer> AnnounceAsync(CacheIntent intent, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(intent);
        RedisKey[] keys = [TimesKey(intent.Log), WritersKey(intent.Log)];
        RedisValue[] values = [intent.Id, string.Join(' ', intent.Versions), (long)Within(intent.Lease).TotalMilliseconds];
        return Answer(await TryAsync(() => _database.ScriptEvaluateAsync(StoreScripts.Announce, keys, values), cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc />
    public async ValueTask<int> RecoverAsync(string log, CancellationToken cancellationToken)
    {
        RedisKey[] keys = [Key("sequence"), TimesKey(log), WritersKey(log)];
        RedisValue[] values = [_channel, FreshValue.Next(), (string?)VersionKey(string.Empty), FreshValue.Next()];
        var (failure, reply) = await TryAsync(() => _database.ScriptEvaluateAsync(StoreScripts.Recover, keys, values), cancellationToken).ConfigureAwait(false);
        return failure is null ? (int)reply! : 0;
    }

    /// <inheritdoc />
    public async ValueTask<bool> TryLeaseAsync(string lease, TimeSpan duration, CancellationToken cancellationToken)
    {
        var (failure, isTaken) = await TryAsync(() => _database.LockTakeAsync(LeaseKey(lease), _holder, Within(duration)), cancellationToken).ConfigureAwait(false);
        return failure is not null || isTaken;
    }

    /// <inheritdoc />
    public async ValueTask ReleaseAsync(string lease, CancellationToken cancellationToken) =>
        await TryAsync(() => _database.LockReleaseAsync(LeaseKey(lease), _holder), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc />
    public ValueTask DisposeAsync() => _feed.DisposeAsync();

    private static string Address(EndPoint server) =>
        server is DnsEndPoint named ? string.Create(CultureInfo.InvariantCulture, $"{named.Host}:{named.Port}") : server.ToString() ?? string.Empty;

    // Redis counts in milliseconds, and refuses none of them as well as more than its clock can hold.
    private static TimeSpan Within(TimeSpan span) => TimeSpan.FromMilliseconds(Math.Clamp(Math.Ceiling(span.TotalMilliseconds), 1, TimeSpan.FromDays(3650).TotalMilliseconds));

    private static CacheAnswer Answer<T>((string? Failure, T? Reply) answer) => new(answer.Failure);

    private RedisKey Key(string name) => _options.KeyPrefix + name;

    private RedisKey EntryKey(string entry) => Key("e:" + entry);

    private RedisKey VersionKey(string version) => Key("v:" + version);

    private RedisKey LeaseKey(string lease) => Key("l:" + lease);

    private RedisKey TimesKey(string log) => Key("t:" + log);

    private RedisKey WritersKey(string log) => Key("w:" + log);

    private (RedisKey[] Keys, RedisValue[] Values) ReadArguments(string? entry, IReadOnlyList<string> versions)
    {
        var keys = new RedisKey[versions.Count + (entry is null ? 0 : 1)];
        var values = new RedisValue[versions.Count];
        for (var i = 0; i < values.Length; i++)
        {
            keys[i] = VersionKey(versions[i]);
            values[i] = FreshValue.Next();
        }

        if (entry is not null)
        {
            keys[^1] = EntryKey(entry);
        }

        return (keys, values);
    }

    private (RedisKey[] Keys, RedisValue[] Values) BumpArguments(IReadOnlyList<string> versions, CacheIntent? intent)
    {
        var log = intent?.Log ?? string.Empty;
        return (
            [Key("sequence"), TimesKey(log), WritersKey(log), .. versions.Select(VersionKey)],
            [_channel, FreshValue.Next(), string.Join(' ', versions), intent?.Id ?? string.Empty, .. versions.Select(_ => FreshValue.Next())]);
    }

    private CacheReading Reading((string? Failure, RedisResult? Reply) answer, long? before, int count)
    {
        if (answer.Failure is not null)
        {
            return CacheReading.Failed(answer.Failure);
        }

        // The same before and after, so that what was read in between comes from that life.
        if (before is not { } incarnation || _feed.Incarnation != incarnation)
        {
            return CacheReading.Failed($"'{Name}' has not said yet which server it is.");
        }

        var held = (RedisValue[])answer.Reply!;
        var versions = new long[count];
        for (var i = 0; i < count; i++)
        {
            if (!held[i].TryParse(out versions[i]))
            {
                return CacheReading.Failed($"'{Name}' holds something that is no version.");
            }
        }

        var entry = held.Length == count ? null : (byte[]?)held[count];
        return CacheReading.Of(entry is null ? default(ReadOnlyMemory<byte>?) : entry, versions, incarnation);
    }

    private (string? Failure, T? Reply) Try<T>(Func<T> call)
    {
        if (Refusal() is { } refusal)
        {
            return (refusal, default);
        }

        try
        {
            var reply = call();
            _circuit.Answered();
            return (null, reply);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            return (Failed(exception), default);
        }
    }

    private async ValueTask<(string? Failure, T? Reply)> TryAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (Refusal() is { } refusal)
        {
            return (refusal, default);
        }

        Task<T>? running = null;
        try
        {
            running = call();
            var reply = await running.WaitAsync(_options.MaxWait, _clock, cancellationToken).ConfigureAwait(false);
            _circuit.Answered();
            return (null, reply);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            Abandon(running);
            return (Failed(exception), default);
        }
        catch (OperationCanceledException)
        {
            Abandon(running);
            throw;
        }
    }

    // What nobody waits for any more still ends; its failure must not be reported as unobserved.
    private static void Abandon(Task? running) =>
        running?.ContinueWith(static ended => _ = ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);

    private string? Refusal() => !_multiplexer.IsConnected ? NotConnected : _circuit.MayAsk(out var outage) ? null : outage;

    // Messages of the library hold keys and addresses; the kind of a failure is enough.
    private string Failed(Exception exception)
    {
        var reason = exception switch
        {
            TimeoutException => $"'{Name}' did not answer in time.",
            RedisServerException server => $"'{Name}' refused with {server.Message.Split(' ')[0]}.",
            _ => $"'{Name}' failed with {exception.GetType().Name}.",
        };
        _circuit.Failed(reason);
        return reason;
    }
}
