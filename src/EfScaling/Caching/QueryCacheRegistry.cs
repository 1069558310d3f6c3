using System.Collections.Concurrent;
using System.Data.Common;
using EfScaling.Consistency;
using Microsoft.Extensions.Logging;

namespace EfScaling.Caching;

/// <summary>Finds the cache that a context's options mean; options that mean the same database and settings share one.</summary>
/// <remarks>Thread-safe. Caches live as long as EF's internal service provider, which owns this object.</remarks>
internal sealed class QueryCacheRegistry : IAsyncDisposable, IDisposable
{
    private readonly ConcurrentDictionary<(QueryCacheOptions Options, IPositionSource Source), Lazy<QueryCache>> _caches = new();

    /// <summary>Returns the cache of a context.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="source">The database's log.</param>
    /// <param name="database">Leads to the database's catalog.</param>
    /// <param name="scope">What of the connection's settings decides what a query returns.</param>
    /// <param name="poolSize">How many connections there are to the database.</param>
    /// <param name="services">The application's services, if there are any.</param>
    /// <param name="logger">Receives what happens to the cache.</param>
    public QueryCache Get(QueryCacheOptions options, IPositionSource source, Func<DbDataSource> database, string scope, int poolSize, IServiceProvider? services, ILogger logger) =>
        _caches.TryGetValue((options, source), out var known)
            ? known.Value
            : _caches.GetOrAdd(
                (options, source),
                _ => new Lazy<QueryCache>(() => new QueryCache(options, options.Store.Create(services, source.Clock, logger), source, database(), scope, poolSize, logger))).Value;

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        foreach (var cache in _caches.Values.Where(c => c.IsValueCreated))
        {
            await cache.Value.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        // Containers that are disposed synchronously ask for this; ending the background work need not be waited for.
        _ = DisposeAsync().AsTask();
    }
}
