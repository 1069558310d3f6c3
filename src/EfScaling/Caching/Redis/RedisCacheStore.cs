using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EfScaling.Caching.Redis;

/// <summary>Keeps entries and versions in Redis.</summary>
/// <remarks>
/// <para>Every operation is one round trip; the first read of a version that is missing takes two. Nothing is sent while there is no connection or the server is left alone.</para>
/// <para>Expects keys of the form <c>prefix{tag}:kind:name</c>; see <see cref="RedisPrefixes"/>.</para>
/// </remarks>
internal sealed class RedisCacheStore : ICacheStore
{
    private const int MostRecovered = 100;

    private readonly RedisLink _link;
    private readonly RedisOptions _options;
    private readonly TimeProvider _clock;
    private readonly string _holder = RedisSeed.Next().ToString(CultureInfo.InvariantCulture);

    /// <summary>Makes the store and starts to connect in the background.</summary>
    public RedisCacheStore(RedisOptions options, TimeProvider clock, ILogger logger)
    {
        _options = options;
        _clock = clock;
        _link = new RedisLink(options, RedisRights.Cache, clock, logger);
        CachingMeter.Observe(SilenceOf);
        _link.Start();
    }

    /// <inheritdoc />
    public string Name => _link.Name;

    /// <inheritdoc />
    public bool IsReporting => _link.Connection is { } connection && connection.Tracking.IsComplete && connection.WasHeard;

    /// <inheritdoc />
    public string? Outage => _link.Outage?.Text;

    /// <inheritdoc />
    public void Subscribe(Action<string?> changed) => _link.Subscribe(changed);

    /// <inheritdoc />
    public CacheReading Read(string? entry, IReadOnlyList<string> versions) =>
        TryConnection(out var connection, out var failure)
            ? entry is null && versions.Count == 0 ? Nothing(connection) : SendReading(connection, entry, versions, blocks: true).Wait(connection)
            : CacheReading.Failed(failure.Text);

    /// <inheritdoc />
    public ValueTask<CacheReading> ReadAsync(string? entry, IReadOnlyList<string> versions, CancellationToken cancellationToken) =>
        TryConnection(out var connection, out var failure)
            ? entry is null && versions.Count == 0 ? new(Nothing(connection)) : SendReading(connection, entry, versions, blocks: false).AsTask(cancellationToken)
            : new(CacheReading.Failed(failure.Text));

    /// <inheritdoc />
    public ValueTask<CacheAnswer> WriteAsync(string entry, ReadOnlyMemory<byte> value, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        if (value.Length > _options.MaxEntrySize)
        {
            var tooLarge = new RedisFailure(RedisFailureKind.TooLarge, $"the entry has more than {_options.MaxEntrySize} bytes; raise 'MaxEntrySize' of the Redis options if it should be kept");
            CachingMeter.CountStoreFailure(tooLarge.Tag);
            return new(new CacheAnswer(tooLarge.Text));
        }

        return AnswerAsync(Command("write", ["set", entry], ["PX", Milliseconds(timeToLive)], value), cancellationToken);
    }

    /// <inheritdoc />
    public ValueTask<CacheAnswer> ProlongAsync(string entry, TimeSpan timeToLive, CancellationToken cancellationToken) =>
        AnswerAsync(Command("prolong", ["pexpire", entry, Milliseconds(timeToLive)]), cancellationToken);

    /// <inheritdoc />
    public CacheAnswer Bump(IReadOnlyList<string> versions, CacheIntent? intent)
    {
        if (versions.Count == 0 && intent is null)
        {
            return CacheAnswer.Done;
        }

        if (!TryConnection(out var connection, out var failure))
        {
            return new CacheAnswer(failure.Text);
        }

        var bump = BumpOf(versions, intent, blocks: true);
        connection.Send(bump);
        return bump.Wait(connection).Answer;
    }

    /// <inheritdoc />
    public ValueTask<CacheAnswer> BumpAsync(IReadOnlyList<string> versions, CacheIntent? intent, CancellationToken cancellationToken) =>
        versions.Count == 0 && intent is null ? new(CacheAnswer.Done) : AnswerAsync(BumpOf(versions, intent, blocks: false), cancellationToken);

    /// <inheritdoc />
    public ValueTask<CacheAnswer> AnnounceAsync(CacheIntent intent, CancellationToken cancellationToken) =>
        AnswerAsync(Script("announce", RedisScripts.Announce, LogKeys(intent.Log), [intent.Id, Milliseconds(intent.Lease), .. intent.Versions]), cancellationToken);

    /// <inheritdoc />
    public async ValueTask<int> RecoverAsync(string log, CancellationToken cancellationToken)
    {
        string[] arguments = [Seed(), MostRecovered.ToString(CultureInfo.InvariantCulture)];
        var reply = await SendAsync(Script("recover", RedisScripts.Recover, LogKeys(log), arguments), cancellationToken).ConfigureAwait(false);
        return (int)reply.Number;
    }

    /// <inheritdoc />
    public async ValueTask<bool> TryLeaseAsync(string lease, TimeSpan duration, CancellationToken cancellationToken)
    {
        var reply = await SendAsync(Command("lease", ["set", lease, _holder, "NX", "PX", Milliseconds(duration)]), cancellationToken).ConfigureAwait(false);
        return reply.Failure is not null || !reply.IsNull;
    }

    /// <inheritdoc />
    public async ValueTask ReleaseAsync(string lease, CancellationToken cancellationToken) =>
        await SendAsync(Script("release", RedisScripts.Release, [lease], [_holder]), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc />
    public ValueTask DisposeAsync()
    {
        CachingMeter.Forget(SilenceOf);
        _link.Dispose();
        return default;
    }

    private static string[] LogKeys(string log) => [log, $"{log}:versions"];

    private static string Seed() => RedisSeed.Next().ToString(CultureInfo.InvariantCulture);

    // Rounded up: less than a millisecond is more than nothing, and Redis refuses nothing.
    private static string Milliseconds(TimeSpan time) => ((long)Math.Ceiling(time.TotalMilliseconds)).ToString(CultureInfo.InvariantCulture);

    private static CacheReading Nothing(RedisConnection connection) => CacheReading.Of(null, [], connection.Server.Incarnation);

    private RedisReading SendReading(RedisConnection connection, string? entry, IReadOnlyList<string> versions, bool blocks)
    {
        connection.Tracking.Cover(connection, versions);
        var reading = new RedisReading(entry, versions, Moment.Now(_clock), _options.MaxWait, _clock, blocks);
        connection.Send(reading);
        return reading;
    }

    private RedisCommand BumpOf(IReadOnlyList<string> versions, CacheIntent? intent, bool blocks)
    {
        var count = versions.Count.ToString(CultureInfo.InvariantCulture);
        return intent is null
            ? Script("bump", RedisScripts.Bump, versions, [Seed(), count], blocks)
            : Script("bump", RedisScripts.Bump, [.. versions, .. LogKeys(intent.Log)], [Seed(), count, intent.Id], blocks);
    }

    private RedisCommand Command(string operation, IReadOnlyList<string> parts, IReadOnlyList<string>? rest = null, ReadOnlyMemory<byte>? value = null) =>
        new(operation, Moment.Now(_clock), _options.MaxWait, _clock, blocks: false) { Parts = parts, Value = value, Rest = rest ?? [] };

    private RedisCommand Script(string operation, RedisScript script, IReadOnlyList<string> keys, IReadOnlyList<string> arguments, bool blocks = false) =>
        new(operation, Moment.Now(_clock), _options.MaxWait, _clock, blocks) { Script = script, Parts = keys, Rest = arguments };

    private async ValueTask<CacheAnswer> AnswerAsync(RedisCommand command, CancellationToken cancellationToken)
    {
        var reply = await SendAsync(command, cancellationToken).ConfigureAwait(false);
        return reply.Answer;
    }

    private ValueTask<RedisReply> SendAsync(RedisCommand command, CancellationToken cancellationToken)
    {
        if (!TryConnection(out var connection, out var failure))
        {
            return new(new RedisReply(failure, true, 0));
        }

        connection.Send(command);
        return command.AsTask(cancellationToken);
    }

    private TimeSpan? SilenceOf() => _link.Connection?.Silence;

    private bool TryConnection([NotNullWhen(true)] out RedisConnection? connection, [NotNullWhen(false)] out RedisFailure? failure)
    {
        connection = _link.Connection;
        failure = null;
        if (connection is not null)
        {
            return true;
        }

        failure = _link.Outage ?? new(RedisFailureKind.NotConnected, "the connection has just ended");
        CachingMeter.CountStoreFailure("not_connected");
        return false;
    }
}
