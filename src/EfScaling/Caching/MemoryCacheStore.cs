using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>Keeps everything in this process; of entries no more than fit in a number of bytes.</summary>
/// <remarks>
/// Answers at once and never fails. Subscribers are told before the bump returns. One lock guards all state; it is held for a few dictionary operations, never
/// for a copy of an entry or a call of a subscriber. Thread-safe.
/// </remarks>
internal sealed class MemoryCacheStore : ICacheStore
{
    /// <summary>How many bytes of entries are kept unless told otherwise.</summary>
    public const long DefaultCapacity = 64 * 1024 * 1024;

    // So that a time to live that stands for "no end" does not overflow the clock.
    private static readonly TimeSpan Longest = TimeSpan.FromDays(3650);

    private readonly Lock _lock = new();
    private readonly MemoryVersions _versions = new();
    private readonly MemoryEntries _entries;
    private readonly Dictionary<(string Log, string Id), (HashSet<string> Versions, Moment Due)> _intents = [];
    private readonly MemoryLeases _leases = new();
    private readonly TimeProvider _clock;
    private readonly long _incarnation = BinaryPrimitives.ReadInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(long)));
    private ImmutableArray<Action<string?>> _subscribers = [];

    /// <summary>Makes an empty store.</summary>
    /// <param name="capacity">How many bytes of entries are kept; those not read for longest make room.</param>
    /// <param name="clock">Ends times to live and leases; <see langword="null"/> for the system's.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="capacity"/> is not positive.</exception>
    public MemoryCacheStore(long capacity = DefaultCapacity, TimeProvider? clock = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        _entries = new MemoryEntries(capacity);
        _clock = clock ?? TimeProvider.System;
    }

    public string Name => "memory";

    public bool IsReporting => true;

    public string? Outage => null;

    public void Subscribe(Action<string?> changed) => ImmutableInterlocked.Update(ref _subscribers, static (all, added) => all.Add(added), changed);

    public CacheReading Read(string? entry, IReadOnlyList<string> versions)
    {
        var values = new long[versions.Count];
        byte[]? value = null;
        lock (_lock)
        {
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = _versions.Read(versions[i]);
            }

            if (entry is not null)
            {
                value = _entries.Read(entry, Moment.Now(_clock));
            }
        }

        // A plain null would be taken for an array, and become an empty entry.
        return CacheReading.Of(value is null ? default(ReadOnlyMemory<byte>?) : value, values, _incarnation);
    }

    public ValueTask<CacheReading> ReadAsync(string? entry, IReadOnlyList<string> versions, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Read(entry, versions));

    public ValueTask<CacheAnswer> WriteAsync(string entry, ReadOnlyMemory<byte> value, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        var copy = value.ToArray();
        var until = End(Moment.Now(_clock), timeToLive);
        lock (_lock)
        {
            _entries.Write(entry, copy, until);
        }

        return ValueTask.FromResult(CacheAnswer.Done);
    }

    public ValueTask<CacheAnswer> ProlongAsync(string entry, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        var now = Moment.Now(_clock);
        lock (_lock)
        {
            _entries.Prolong(entry, now, End(now, timeToLive));
        }

        return ValueTask.FromResult(CacheAnswer.Done);
    }

    public CacheAnswer Bump(IReadOnlyList<string> versions, CacheIntent? intent)
    {
        lock (_lock)
        {
            _versions.Bump(versions);
            if (intent is not null)
            {
                _intents.Remove((intent.Log, intent.Id));
            }
        }

        Report(versions);
        return CacheAnswer.Done;
    }

    public ValueTask<CacheAnswer> BumpAsync(IReadOnlyList<string> versions, CacheIntent? intent, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Bump(versions, intent));

    public ValueTask<CacheAnswer> AnnounceAsync(CacheIntent intent, CancellationToken cancellationToken)
    {
        var due = End(Moment.Now(_clock), intent.Lease);
        lock (_lock)
        {
            var versions = _intents.TryGetValue((intent.Log, intent.Id), out var former) ? former.Versions : [];
            versions.UnionWith(intent.Versions);
            _intents[(intent.Log, intent.Id)] = (versions, due);
        }

        return ValueTask.FromResult(CacheAnswer.Done);
    }

    public ValueTask<int> RecoverAsync(string log, CancellationToken cancellationToken)
    {
        var now = Moment.Now(_clock);
        string[] versions;
        int writers;
        lock (_lock)
        {
            var overdue = _intents.Where(i => i.Key.Log == log && i.Value.Due <= now).ToList();
            writers = overdue.Count;
            versions = [.. overdue.SelectMany(i => i.Value.Versions).Distinct()];
            _versions.Bump(versions);
            overdue.ForEach(i => _intents.Remove(i.Key));
        }

        Report(versions);
        return ValueTask.FromResult(writers);
    }

    public ValueTask<bool> TryLeaseAsync(string lease, TimeSpan duration, CancellationToken cancellationToken)
    {
        var now = Moment.Now(_clock);
        lock (_lock)
        {
            return ValueTask.FromResult(_leases.TryTake(lease, now, End(now, duration)));
        }
    }

    public ValueTask ReleaseAsync(string lease, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _leases.Release(lease);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private Moment End(Moment now, TimeSpan span) => now.Plus(span < Longest ? span : Longest, _clock);

    private void Report(IReadOnlyList<string> versions)
    {
        foreach (var changed in _subscribers)
        {
            foreach (var version in versions)
            {
                changed(version);
            }
        }
    }
}
