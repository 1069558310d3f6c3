using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EfScaling.Caching;

/// <summary>Makes the store of a cache. Sources with equal keys mean the same store.</summary>
/// <param name="Key">What the source is known by: the settings or the object it was given.</param>
/// <param name="Create">Makes the store, from the application's services if there are any.</param>
/// <param name="IsShared">Whether the store is the application's, which disposes it.</param>
internal sealed record CacheStoreSource(object Key, Func<IServiceProvider?, TimeProvider, ILogger, ICacheStore> Create, bool IsShared = false)
{
    /// <summary>The memory of this process, each cache its own.</summary>
    public static readonly CacheStoreSource Memory = new("memory", (_, clock, _) => new MemoryCacheStore(clock: clock));

    /// <summary>The application's <see cref="IDistributedCache"/>.</summary>
    public static CacheStoreSource Distributed(IDistributedCache? cache) => new(
        cache ?? (object)"distributed",
        (services, clock, _) => new DistributedCacheStore(
            cache ?? services?.GetService<IDistributedCache>() ?? throw new InvalidOperationException(
                "UseQueryCache(c => c.DistributedCache()) found no IDistributedCache among the application's services. Register one, or give it to DistributedCache(...)."),
            clock: clock));

    /// <summary>A store that the application made.</summary>
    public static CacheStoreSource Of(ICacheStore store) => new(store, (_, _, _) => store, IsShared: true);

    /// <inheritdoc />
    public bool Equals(CacheStoreSource? other) => other is not null && Key.Equals(other.Key);

    /// <inheritdoc />
    public override int GetHashCode() => Key.GetHashCode();
}
