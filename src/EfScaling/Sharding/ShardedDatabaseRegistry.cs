using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Sharding;

/// <summary>Finds the sharded database that settings and a model mean; equal ones share one.</summary>
/// <remarks>Thread-safe. They live as long as EF's internal service provider, which owns this object.</remarks>
internal sealed class ShardedDatabaseRegistry
{
    private readonly ConcurrentDictionary<(ShardingOptions Options, IModel Model), ShardedDatabase> _databases = new();

    /// <summary>Returns the sharded database.</summary>
    /// <exception cref="InvalidOperationException">A map does not fit the shards or the keys.</exception>
    public ShardedDatabase Get(ShardingOptions options, IModel model) =>
        _databases.TryGetValue((options, model), out var known) ? known : _databases.GetOrAdd((options, model), key => new ShardedDatabase(key.Options, key.Model));
}
