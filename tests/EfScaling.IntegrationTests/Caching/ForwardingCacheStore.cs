using EfScaling.Caching;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A store that hands everything on to another; tests override what they want to go wrong.</summary>
internal class ForwardingCacheStore(ICacheStore inner) : ICacheStore
{
    public string Name => inner.Name;

    public bool IsReporting => inner.IsReporting;

    public virtual string? Outage => inner.Outage;

    public void Subscribe(Action<string?> changed) => inner.Subscribe(changed);

    public CacheReading Read(string? entry, IReadOnlyList<string> versions) => inner.Read(entry, versions);

    public virtual ValueTask<CacheReading> ReadAsync(string? entry, IReadOnlyList<string> versions, CancellationToken cancellationToken) =>
        inner.ReadAsync(entry, versions, cancellationToken);

    public ValueTask<CacheAnswer> WriteAsync(string entry, ReadOnlyMemory<byte> value, TimeSpan timeToLive, CancellationToken cancellationToken) =>
        inner.WriteAsync(entry, value, timeToLive, cancellationToken);

    public virtual ValueTask<CacheAnswer> ProlongAsync(string entry, TimeSpan timeToLive, CancellationToken cancellationToken) => inner.ProlongAsync(entry, timeToLive, cancellationToken);

    public virtual CacheAnswer Bump(IReadOnlyList<string> versions, CacheIntent? intent) => inner.Bump(versions, intent);

    public virtual ValueTask<CacheAnswer> BumpAsync(IReadOnlyList<string> versions, CacheIntent? intent, CancellationToken cancellationToken) =>
        inner.BumpAsync(versions, intent, cancellationToken);

    public virtual ValueTask<CacheAnswer> AnnounceAsync(CacheIntent intent, CancellationToken cancellationToken) => inner.AnnounceAsync(intent, cancellationToken);

    public virtual ValueTask<int> RecoverAsync(string log, CancellationToken cancellationToken) => inner.RecoverAsync(log, cancellationToken);

    public ValueTask<bool> TryLeaseAsync(string lease, TimeSpan duration, CancellationToken cancellationToken) => inner.TryLeaseAsync(lease, duration, cancellationToken);

    public ValueTask ReleaseAsync(string lease, CancellationToken cancellationToken) => inner.ReleaseAsync(lease, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
