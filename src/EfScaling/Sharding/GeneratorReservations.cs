using System.Collections.Concurrent;
using System.Data.Common;

namespace EfScaling.Sharding;

/// <summary>Finds what makes the ids of a sharded database in this process.</summary>
/// <remarks>Thread-safe. They live as long as EF's internal service provider, which owns this object.</remarks>
internal sealed class GeneratorReservations(TimeProvider clock)
{
    private readonly ConcurrentDictionary<ShardedDatabase, GeneratorReservation> _reservations = new();

    /// <summary>Returns what makes the ids.</summary>
    /// <param name="database">The sharded database.</param>
    /// <param name="connect">Returns what leads to the primary of its default shard.</param>
    public GeneratorReservation Get(ShardedDatabase database, Func<DbDataSource> connect) =>
        _reservations.TryGetValue(database, out var known)
            ? known
            : _reservations.GetOrAdd(database, d => new GeneratorReservation(connect(), d.Options.Default.Name, clock, d.Options.GeneratorNumber));
}
