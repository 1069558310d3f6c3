using System.Collections.Concurrent;
using EfScaling.Sharding;

namespace EfScaling.Routing.Transactions;

/// <summary>Finds what settles the interrupted transactions of a sharded database; one for all its contexts.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class ShardRecoveries
{
    private readonly ConcurrentDictionary<ShardedDatabase, ShardRecovery> _recoveries = new();

    /// <summary>Returns it.</summary>
    /// <param name="database">The sharded database.</param>
    /// <param name="create">Makes it.</param>
    public ShardRecovery Get(ShardedDatabase database, Func<ShardRecovery> create) =>
        _recoveries.TryGetValue(database, out var known) ? known : _recoveries.GetOrAdd(database, create());
}
