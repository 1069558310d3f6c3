using EfScaling.Caching;
using EfScaling.Caching.Redis;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Keeps the query cache in Redis.</summary>
public static class RedisQueryCacheOptionsBuilderExtensions
{
    /// <summary>Keeps results in Redis or Valkey.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configuration">
    /// Such as <c>cache.example:6379,password=…,ssl=true</c>, with the common keywords of StackExchange.Redis; with <c>serviceName=…</c> the hosts are sentinels.
    /// </param>
    /// <returns>The same builder.</returns>
    /// <remarks>
    /// Give it an own Redis, without persistence, and with <c>min-replicas-to-write</c> if Sentinel watches over it. The connection is made in the background; until
    /// it stands, and whenever it fails, queries run in the database.
    /// </remarks>
    /// <exception cref="ArgumentException">The configuration cannot be read.</exception>
    public static QueryCacheOptionsBuilder Redis(this QueryCacheOptionsBuilder builder, string configuration) => builder.Redis(RedisOptions.Parse(configuration));

    /// <inheritdoc cref="Redis(QueryCacheOptionsBuilder, string)" />
    /// <param name="builder">The builder.</param>
    /// <param name="options">The servers and limits.</param>
    public static QueryCacheOptionsBuilder Redis(this QueryCacheOptionsBuilder builder, RedisOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        return builder.Use(new CacheStoreSource(options, (_, clock, logger) => new RedisCacheStore(options, clock, logger)));
    }
}
