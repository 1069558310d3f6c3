using System.Globalization;
using EfScaling.Consistency;
using Microsoft.Extensions.Logging.Abstractions;

namespace EfScaling.Caching.Redis;

/// <summary>Keeps documents with rising versions in Redis: data that somebody relies on, unlike what <see cref="RedisCacheStore"/> keeps.</summary>
/// <remarks>
/// <para>
/// Every operation is one round trip, is given more time than one of the cache, and throws when it was not done or may not have been. One that failed for want
/// of an answer may still be carried out later; its version keeps it from setting anything back.
/// </para>
/// <para>Whoever comes while a connection is being made waits for it; while the server is left alone after a failure, operations fail at once. Thread-safe.</para>
/// </remarks>
internal sealed class RedisDocuments : IDisposable
{
    /// <summary>How long an operation may take unless the options allow more.</summary>
    public static readonly TimeSpan LeastWait = TimeSpan.FromSeconds(2);

    private readonly RedisOptions _options;
    private readonly TimeProvider _clock;
    private readonly RedisLink _link;
    private volatile TaskCompletionSource _change = NewChange();

    /// <summary>Starts to connect in the background.</summary>
    public RedisDocuments(RedisOptions options, TimeProvider clock)
    {
        var wait = Longer(options.MaxWait, LeastWait);

        // A server that is heard from within the time of an operation is not silent.
        _options = options with { MaxWait = wait, Heartbeat = Longer(options.Heartbeat, wait) };
        _clock = clock;

        // The log of the link tells of a cache that queries do without. Failures here reach the log of whoever asked.
        _link = new RedisLink(_options, RedisRights.Documents, clock, NullLogger.Instance);
        _link.Subscribe(_ => Interlocked.Exchange(ref _change, NewChange()).TrySetResult());
        _link.Start();
    }

    /// <summary>Gets the name in messages.</summary>
    public string Name => _link.Name;

    /// <summary>Returns a document; <see langword="null"/> if there is none.</summary>
    /// <exception cref="IOException">Redis cannot be reached, does not answer in time, or refuses.</exception>
    public async Task<byte[]?> GetAsync(string key, CancellationToken cancellationToken)
    {
        var started = Moment.Now(_clock);
        var connection = await ConnectionAsync("read", started, cancellationToken).ConfigureAwait(false);
        var reading = new RedisDocumentReading(key, started, _options.MaxWait, _clock);
        connection.Send(reading);
        var document = await reading.AsTask(cancellationToken).ConfigureAwait(false);
        return document.Failure is null ? document.Value : throw Failed("read", document.Failure);
    }

    /// <summary>Writes a document unless one with this version or a higher one is there, or was removed a short while ago.</summary>
    /// <returns>Whether it was written.</returns>
    /// <inheritdoc cref="GetAsync" path="/exception"/>
    public Task<bool> SetIfNewerAsync(string key, ReadOnlyMemory<byte> document, long version, CancellationToken cancellationToken) =>
        RunAsync("write", started => Script("write_document", RedisDocumentScripts.Set, key, document, [Text(version)], started), cancellationToken);

    /// <summary>Removes a document unless one with this version or a higher one is there, and leaves a mark that holds back lower ones.</summary>
    /// <returns>Whether it was removed.</returns>
    /// <inheritdoc cref="GetAsync" path="/exception"/>
    public Task<bool> RemoveIfNewerAsync(string key, long version, TimeSpan markFor, CancellationToken cancellationToken) =>
        RunAsync(
            "remove",
            started => Script("remove_document", RedisDocumentScripts.Remove, key, null, [Text(version), Text((long)markFor.TotalMilliseconds)], started),
            cancellationToken);

    /// <inheritdoc />
    public void Dispose() => _link.Dispose();

    private static TimeSpan Longer(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static TaskCompletionSource NewChange() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private RedisCommand Script(string operation, RedisScript script, string key, ReadOnlyMemory<byte>? value, string[] arguments, Moment started) =>
        new(operation, started, _options.MaxWait, _clock, blocks: false) { Script = script, Parts = [key], Value = value, Rest = arguments };

    private async Task<bool> RunAsync(string verb, Func<Moment, RedisCommand> commandAt, CancellationToken cancellationToken)
    {
        var started = Moment.Now(_clock);
        var connection = await ConnectionAsync(verb, started, cancellationToken).ConfigureAwait(false);
        var command = commandAt(started);
        connection.Send(command);
        var reply = await command.AsTask(cancellationToken).ConfigureAwait(false);
        return reply.Failure is null ? reply.Number == 1 : throw Failed(verb, reply.Failure);
    }

    private async ValueTask<RedisConnection> ConnectionAsync(string verb, Moment started, CancellationToken cancellationToken)
    {
        while (true)
        {
            // Before the look at the connection, so that no change after the look is missed.
            var change = _change.Task;
            if (_link.Connection is { } connection)
            {
                return connection;
            }

            var left = _options.MaxWait - started.Until(Moment.Now(_clock), _clock);
            if (left <= TimeSpan.Zero || _link.Circuit.UntilProbe > TimeSpan.Zero)
            {
                throw Failed(verb, _link.Outage ?? new(RedisFailureKind.NotConnected, "the connection has just ended"));
            }

            await change.WaitAsync(left, _clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private IOException Failed(string verb, RedisFailure failure) => new($"Could not {verb} a document in '{Name}': {failure.Text}");
}
