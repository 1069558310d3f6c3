using EfScaling.Routing;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Makes the shard catalog, and changes shard maps while applications run. Called by deployments and operators, on a context whose options call <c>UseCatalog</c>.</summary>
public static class ShardCatalogDatabaseFacadeExtensions
{
    /// <summary>Makes the catalog and what each shard needs to check its ownership, and registers the maps of the options as the first ones.</summary>
    /// <param name="database">The <c>Database</c> of a context that spans all shards.</param>
    /// <param name="cancellationToken">Ends the work; calling again completes it.</param>
    /// <remarks>
    /// Everything is in the schema <c>efscaling</c> of the catalog database and of each shard. What is there already stays: maps of the catalog are never replaced
    /// by those of the options. Call it before the first use, and again for shards or named maps that were added, and after an update of the library.
    /// </remarks>
    /// <exception cref="InvalidOperationException">The options have no catalog, a change of a map is pending, or a database is another shard or of another catalog.</exception>
    public static Task CreateShardCatalogAsync(this DatabaseFacade database, CancellationToken cancellationToken = default) =>
        Work(database, nameof(CreateShardCatalogAsync)).CreateAsync(cancellationToken);

    /// <summary>Changes a shard map: fences the buckets that it concerns, lets their rows be moved, and publishes the map.</summary>
    /// <param name="database">The <c>Database</c> of a context that spans all shards.</param>
    /// <param name="map">The map to come, made from the present one: it has a higher version, the same number of buckets and the same keys.</param>
    /// <param name="whileFenced">
    /// Moves the rows: copies those of <see cref="ShardMapChange.Buckets"/> to their new shards and deletes them from the old ones, over connections of
    /// <see cref="ShardMapChange.OpenConnectionAsync"/>. Must be such that it can be done again after it was interrupted anywhere.
    /// </param>
    /// <param name="name">The name of the map; <see langword="null"/> for the one without a name.</param>
    /// <param name="cancellationToken">Ends the change where it stands; it stays pending.</param>
    /// <remarks>
    /// <para>
    /// From the fence to the end, reads and writes of these buckets wait, for at most their command timeout, and so do commands on contexts bound to one of the
    /// shards that name no key; all others go on. The fence waits for transactions that have written the buckets.
    /// </para>
    /// <para>A change that was interrupted leaves no wrong rows: the buckets stay fenced until <see cref="ResumeShardMapChangeAsync"/> completes it. One change at a time; a second one waits.</para>
    /// </remarks>
    /// <exception cref="ArgumentException">The map cannot follow the present one.</exception>
    /// <exception cref="InvalidOperationException">The options have no catalog, or another change is pending.</exception>
    public static Task ChangeShardMapAsync(
        this DatabaseFacade database, ShardMap map, Func<ShardMapChange, CancellationToken, Task> whileFenced, string? name = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(map);
        ArgumentNullException.ThrowIfNull(whileFenced);
        return Work(database, nameof(ChangeShardMapAsync)).ChangeAsync(name ?? string.Empty, map, whileFenced, cancellationToken);
    }

    /// <summary>Completes a change of a shard map that was interrupted.</summary>
    /// <param name="database">The <c>Database</c> of a context that spans all shards.</param>
    /// <param name="whileFenced">Moves the rows, of which some may be moved already.</param>
    /// <param name="name">The name of the map; <see langword="null"/> for the one without a name.</param>
    /// <param name="cancellationToken">Ends the change where it stands; it stays pending.</param>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="InvalidOperationException">The options have no catalog.</exception>
    public static Task<bool> ResumeShardMapChangeAsync(
        this DatabaseFacade database, Func<ShardMapChange, CancellationToken, Task> whileFenced, string? name = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(whileFenced);
        return Work(database, nameof(ResumeShardMapChangeAsync)).ResumeAsync(name ?? string.Empty, whileFenced, cancellationToken);
    }

    private static ShardCatalogWork Work(DatabaseFacade database, string method)
    {
        ArgumentNullException.ThrowIfNull(database);
        return ((IInfrastructure<IServiceProvider>)database).Instance.GetService(typeof(ReadRouter)) is ReadRouter { Shards: { IsGoverned: true, IsBound: false } shards }
            ? new ShardCatalogWork(shards)
            : throw new InvalidOperationException(
                $"{method} was called on a context that has no shard catalog, or works on one shard alone. Call UseSharding(s => s.UseCatalog(...)) on its options, and create it by CreateDbContext().");
    }
}
