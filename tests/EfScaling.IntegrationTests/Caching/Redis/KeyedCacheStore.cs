using EfScaling.Caching;

namespace EfScaling.IntegrationTests.Caching.Redis;

/// <summary>Gives keys the form that the cache gives them, on which the Redis store relies to be told of versions and not of entries.</summary>
internal sealed class KeyedCacheStore(ICacheStore inner) : ICacheStore
{
    private const string Entries = "efs:{contract}:q:";
    private const string Versions = "efs:{contract}:v:";
    private const string Logs = "efs:{contract}:i:";
    private const string Leases = "efs:{contract}:l:";

    public string Name => inner.Name;

    public bool IsReporting => inner.IsReporting;

    public string? Outage => inner.Outage;

    public void Subscribe(Action<string?> changed) => inner.Subscribe(key => changed(key?[Versions.Length..]));

    public CacheReading Read(string? entry, IReadOnlyList<string> versions) => inner.Read(EntryOf(entry), VersionsOf(versions));

    public ValueTask<CacheReading> ReadAsync(string? entry, IReadOnlyList<string> versions, CancellationToken cancellationToken) =>
        inner.ReadAsync(EntryOf(entry), VersionsOf(versions), cancellationToken);

    public ValueTask<CacheAnswer> WriteAsync(string entry, ReadOnlyMemory<byte> value, TimeSpan timeToLive, CancellationToken cancellationToken) =>
        inner.WriteAsync(Entries + entry, value, timeToLive, cancellationToken);

    public ValueTask<CacheAnswer> ProlongAsync(string entry, TimeSpan timeToLive, CancellationToken cancellationToken) => inner.ProlongAsync(Entries + entry, timeToLive, cancellationToken);

    public CacheAnswer Bump(IReadOnlyList<string> versions, CacheIntent? intent) => inner.Bump(VersionsOf(versions), IntentOf(intent));

    public ValueTask<CacheAnswer> BumpAsync(IReadOnlyList<string> versions, CacheIntent? intent, CancellationToken cancellationToken) =>
        inner.BumpAsync(VersionsOf(versions), IntentOf(intent), cancellationToken);

    public ValueTask<CacheAnswer> AnnounceAsync(CacheIntent intent, CancellationToken cancellationToken) => inner.AnnounceAsync(IntentOf(intent)!, cancellationToken);

    public ValueTask<int> RecoverAsync(string log, CancellationToken cancellationToken) => inner.RecoverAsync(Logs + log, cancellationToken);

    public ValueTask<bool> TryLeaseAsync(string lease, TimeSpan duration, CancellationToken cancellationToken) => inner.TryLeaseAsync(Leases + lease, duration, cancellationToken);

    public ValueTask ReleaseAsync(string lease, CancellationToken cancellationToken) => inner.ReleaseAsync(Leases + lease, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private static string? EntryOf(string? entry) => entry is null ? null : Entries + entry;

    private static string[] VersionsOf(IReadOnlyList<string> versions) => [.. versions.Select(v => Versions + v)];

    private static CacheIntent? IntentOf(CacheIntent? intent) => intent is null ? null : new CacheIntent(Logs + intent.Log, intent.Id, VersionsOf(intent.Versions), intent.Lease);
}
