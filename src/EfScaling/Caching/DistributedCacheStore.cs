using System.Buffers.Binary;
using System.Security.Cryptography;
using Microsoft.Extensions.Caching.Distributed;

namespace EfScaling.Caching;

/// <summary>Keeps entries and versions in any <see cref="IDistributedCache"/>.</summary>
/// <remarks>
/// <para>
/// A version is eight random bytes; to bump it is to overwrite it. Only equality counts, so the last writer may win: each value is written by one call, once,
/// and is therefore current during one stretch of time at most. Whatever a late or lost write leaves behind, no value comes back. Nor need anything be
/// atomic: a version that is bumped while others are read belongs to a write that has not returned, and entry and versions that do not belong together are a
/// miss.
/// </para>
/// <para>
/// It reports nothing, keeps no intents and grants every lease. The asynchronous members take no longer than the time limit. The synchronous ones use the
/// cache's own, which cannot be interrupted: they take as long as the cache lets them.
/// </para>
/// <para>
/// The cache must show a finished write to every later read, must not repeat a write of its own accord after others, and must not come back with older data:
/// through this interface none of that could be noticed. A cache that copies with delay, or saves to disk, does not qualify. Thread-safe.
/// </para>
/// </remarks>
internal sealed class DistributedCacheStore : ICacheStore
{
    private const int FailuresInARow = 3;

    // The interface cannot tell the lives of a cache apart; all processes must agree on one value.
    private const long Incarnation = 1;

    // A time to live that stands for "no end" would overflow the date that a cache makes of it.
    private static readonly TimeSpan Longest = TimeSpan.FromDays(3650);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    // So that versions of rows that nobody reads any more do not pile up; an expired one is one miss. Not sliding, for which some caches write at each read.
    private static readonly DistributedCacheEntryOptions VersionOptions = new() { AbsoluteExpirationRelativeToNow = TimeSpan.FromDays(1) };

    private readonly IDistributedCache _cache;
    private readonly TimeSpan _maxWait;
    private readonly TimeProvider _clock;
    private readonly StoreCircuit _circuit;

    /// <summary>Makes a store in a cache that somebody else owns and disposes.</summary>
    /// <param name="cache">Where to keep everything.</param>
    /// <param name="maxWait">How long an asynchronous call takes at most; 50 ms if <see langword="null"/>.</param>
    /// <param name="clock">Measures the waits; <see langword="null"/> for the system's.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxWait"/> is not positive.</exception>
    public DistributedCacheStore(IDistributedCache cache, TimeSpan? maxWait = null, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(cache);
        _cache = cache;
        _maxWait = maxWait ?? TimeSpan.FromMilliseconds(50);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(_maxWait, TimeSpan.Zero, nameof(maxWait));
        _clock = clock ?? TimeProvider.System;
        _circuit = new StoreCircuit(FailuresInARow, Pause, _clock);
        Name = $"distributed cache {cache.GetType().Name}";
    }

    public string Name { get; }

    public bool IsReporting => false;

    public string? Outage => _circuit.Outage;

    public void Subscribe(Action<string?> changed)
    {
    }

    public CacheReading Read(string? entry, IReadOnlyList<string> versions)
    {
        var values = new long[versions.Count];
        byte[]? value = null;
        var failure = Try(() =>
        {
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = ReadVersion(versions[i]);
            }

            value = entry is null ? null : _cache.Get(EntryKey(entry));
        });

        return Reading(failure, value, values);
    }

    public async ValueTask<CacheReading> ReadAsync(string? entry, IReadOnlyList<string> versions, CancellationToken cancellationToken)
    {
        long[] values = [];
        byte[]? value = null;
        var failure = await TryAsync(
            async token =>
            {
                var reading = entry is null ? Task.FromResult<byte[]?>(null) : _cache.GetAsync(EntryKey(entry), token);
                var all = Task.WhenAll(versions.Select(version => ReadVersionAsync(version, token)));

                // Both are awaited whatever becomes of either, so that no failure goes unobserved.
                await Task.WhenAll(reading, all).ConfigureAwait(false);
                value = await reading.ConfigureAwait(false);
                values = await all.ConfigureAwait(false);
            },
            cancellationToken).ConfigureAwait(false);

        return Reading(failure, value, values);
    }

    public async ValueTask<CacheAnswer> WriteAsync(string entry, ReadOnlyMemory<byte> value, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        var copy = value.ToArray();
        return new CacheAnswer(
            await TryAsync(token => _cache.SetAsync(EntryKey(entry), copy, EntryOptions(timeToLive), token), cancellationToken).ConfigureAwait(false));
    }

    // Refreshing extends only sliding entries, which each read would prolong too. If another write comes between, an older entry wins: a miss at worst.
    public async ValueTask<CacheAnswer> ProlongAsync(string entry, TimeSpan timeToLive, CancellationToken cancellationToken) =>
        new(await TryAsync(
            async token =>
            {
                if (await _cache.GetAsync(EntryKey(entry), token).ConfigureAwait(false) is { } value)
                {
                    await _cache.SetAsync(EntryKey(entry), value, EntryOptions(timeToLive), token).ConfigureAwait(false);
                }
            },
            cancellationToken).ConfigureAwait(false));

    public CacheAnswer Bump(IReadOnlyList<string> versions, CacheIntent? intent) =>
        new(Try(() =>
        {
            foreach (var version in versions)
            {
                _cache.Set(VersionKey(version), FreshVersion(), VersionOptions);
            }
        }));

    public async ValueTask<CacheAnswer> BumpAsync(IReadOnlyList<string> versions, CacheIntent? intent, CancellationToken cancellationToken) =>
        new(await TryAsync(
            token => Task.WhenAll(versions.Select(version => _cache.SetAsync(VersionKey(version), FreshVersion(), VersionOptions, token))),
            cancellationToken).ConfigureAwait(false));

    public ValueTask<CacheAnswer> AnnounceAsync(CacheIntent intent, CancellationToken cancellationToken) => ValueTask.FromResult(CacheAnswer.Done);

    public ValueTask<int> RecoverAsync(string log, CancellationToken cancellationToken) => ValueTask.FromResult(0);

    public ValueTask<bool> TryLeaseAsync(string lease, TimeSpan duration, CancellationToken cancellationToken) => ValueTask.FromResult(true);

    public ValueTask ReleaseAsync(string lease, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static string EntryKey(string entry) => $"e:{entry}";

    private static string VersionKey(string version) => $"v:{version}";

    private static byte[] FreshVersion() => RandomNumberGenerator.GetBytes(sizeof(long));

    private static DistributedCacheEntryOptions EntryOptions(TimeSpan timeToLive) => new() { AbsoluteExpirationRelativeToNow = timeToLive < Longest ? timeToLive : Longest };

    private static CacheReading Reading(string? failure, byte[]? value, long[] values) =>
        failure is null
            ? CacheReading.Of(value is null ? default(ReadOnlyMemory<byte>?) : value, values, Incarnation)
            : CacheReading.Failed(failure);

    private long ReadVersion(string version)
    {
        var held = _cache.Get(VersionKey(version));
        if (held is not { Length: sizeof(long) })
        {
            _cache.Set(VersionKey(version), held = FreshVersion(), VersionOptions);
        }

        return BinaryPrimitives.ReadInt64LittleEndian(held);
    }

    // A missing version is not read again after it was set. If another reader or a writer sets it at the same moment, one of the values is lost, and with it
    // only the entries stamped with it. A write whose bump was overwritten here had been committed before this reader asks the database, and sees it.
    private async Task<long> ReadVersionAsync(string version, CancellationToken token)
    {
        var held = await _cache.GetAsync(VersionKey(version), token).ConfigureAwait(false);
        if (held is not { Length: sizeof(long) })
        {
            held = FreshVersion();
            await _cache.SetAsync(VersionKey(version), held, VersionOptions, token).ConfigureAwait(false);
        }

        return BinaryPrimitives.ReadInt64LittleEndian(held);
    }

    private string? Try(Action call)
    {
        if (!_circuit.MayAsk(out var outage))
        {
            return outage;
        }

        try
        {
            call();
            _circuit.Answered();
            return null;
        }
        catch (Exception exception)
        {
            return Failed(exception);
        }
    }

    private async ValueTask<string?> TryAsync(Func<CancellationToken, Task> call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!_circuit.MayAsk(out var outage))
        {
            return outage;
        }

        using var limit = new CancellationTokenSource(_maxWait, _clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var running = Task.CompletedTask;
        try
        {
            running = call(both.Token);

            // Not every cache heeds its token.
            await running.WaitAsync(both.Token).ConfigureAwait(false);
            _circuit.Answered();
            return null;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            Abandon(running);
            throw;
        }
        catch (Exception exception)
        {
            Abandon(running);
            return Failed(exception);
        }
    }

    // What nobody waits for any more still ends; its failure must not be reported as unobserved.
    private static void Abandon(Task running) =>
        _ = running.ContinueWith(static ended => _ = ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);

    // The type only: messages of foreign exceptions may hold anything.
    private string Failed(Exception exception)
    {
        var reason = exception is OperationCanceledException
            ? $"'{Name}' did not answer within {_maxWait.TotalMilliseconds:0} ms."
            : $"'{Name}' failed with {exception.GetType().Name}.";
        _circuit.Failed(reason);
        return reason;
    }
}
