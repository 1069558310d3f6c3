using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.Extensions.Logging;

namespace EfScaling.Sharding;

/// <summary>Finds the sharded database that settings and a model mean; equal ones share one.</summary>
/// <remarks>Thread-safe. They live as long as EF's internal service provider, which owns this object.</remarks>
internal sealed class ShardedDatabaseRegistry(TimeProvider clock) : IDisposable, IAsyncDisposable
{
    private readonly ConcurrentDictionary<(ShardingOptions Options, IModel Model), Lazy<ShardedDatabase>> _databases = new();

    /// <summary>Returns the sharded database.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="model">The model.</param>
    /// <param name="loggers">The loggers of the first context that asks.</param>
    /// <exception cref="InvalidOperationException">A map does not fit the shards or the keys.</exception>
    public ShardedDatabase Get(ShardingOptions options, IModel model, ILoggerFactory loggers) =>
        (_databases.TryGetValue((options, model), out var known) ? known : Add(options, model, loggers)).Value;

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var database in _databases.Values.Where(d => d.IsValueCreated))
        {
            database.Value.Dispose();
        }
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        foreach (var database in _databases.Values.Where(d => d.IsValueCreated))
        {
            await database.Value.DisposeAsync().ConfigureAwait(false);
        }
    }

    // Each has a connection to its catalog, so that there may be no second one for a moment.
    private Lazy<ShardedDatabase> Add(ShardingOptions options, IModel model, ILoggerFactory loggers) => _databases.GetOrAdd(
        (options, model), key => new Lazy<ShardedDatabase>(() => new ShardedDatabase(key.Options, key.Model, clock, loggers.CreateLogger<ShardedDatabase>())));
}
