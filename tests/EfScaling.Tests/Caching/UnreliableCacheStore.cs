using EfScaling.Caching;

namespace EfScaling.Tests.Caching;

/// <summary>A store in memory that refuses or throws while the test says so, and remembers which bumps it did.</summary>
internal sealed class UnreliableCacheStore : ICacheStore
{
    private readonly MemoryCacheStore _inner = new();

    /// <summary>What it answers instead of doing anything; <see langword="null"/> while it does what it is asked.</summary>
    public volatile string? Failure;

    /// <summary>Whether it throws instead, which no store may.</summary>
    public volatile bool Throws;

    /// <summary>The versions of each bump that was done.</summary>
    public List<IReadOnlyList<string>> Bumps { get; } = [];

    public string Name => "unreliable";

    public bool IsReporting => _inner.IsReporting;

    public string? Outage => Failure;

    public void Subscribe(Action<string?> changed) => _inner.Subscribe(changed);

    public CacheReading Read(string? entry, IReadOnlyList<string> versions) => Try() is { } failure ? CacheReading.Failed(failure) : _inner.Read(entry, versions);

    public ValueTask<CacheReading> ReadAsync(string? entry, IReadOnlyList<string> versions, CancellationToken cancellationToken) => new(Read(entry, versions));

    public ValueTask<CacheAnswer> WriteAsync(string entry, ReadOnlyMemory<byte> value, TimeSpan timeToLive, CancellationToken cancellationToken) =>
        Try() is { } failure ? new(new CacheAnswer(failure)) : _inner.WriteAsync(entry, value, timeToLive, cancellationToken);

    public ValueTask<CacheAnswer> ProlongAsync(string entry, TimeSpan timeToLive, CancellationToken cancellationToken) => _inner.ProlongAsync(entry, timeToLive, cancellationToken);

    public CacheAnswer Bump(IReadOnlyList<string> versions, CacheIntent? intent)
    {
        if (Try() is { } failure)
        {
            return new CacheAnswer(failure);
        }

        lock (Bumps)
        {
            Bumps.Add(versions);
        }

        return _inner.Bump(versions, intent);
    }

    public ValueTask<CacheAnswer> BumpAsync(IReadOnlyList<string> versions, CacheIntent? intent, CancellationToken cancellationToken) => new(Bump(versions, intent));

    public ValueTask<CacheAnswer> AnnounceAsync(CacheIntent intent, CancellationToken cancellationToken) =>
        Try() is { } failure ? new(new CacheAnswer(failure)) : _inner.AnnounceAsync(intent, cancellationToken);

    public ValueTask<int> RecoverAsync(string log, CancellationToken cancellationToken) => Try() is null ? _inner.RecoverAsync(log, cancellationToken) : new(0);

    public ValueTask<bool> TryLeaseAsync(string lease, TimeSpan duration, CancellationToken cancellationToken) => _inner.TryLeaseAsync(lease, duration, cancellationToken);

    public ValueTask ReleaseAsync(string lease, CancellationToken cancellationToken) => _inner.ReleaseAsync(lease, cancellationToken);

    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    private string? Try() => Throws ? throw new TimeoutException("broken") : Failure;
}
