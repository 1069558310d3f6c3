using EfScaling.Routing;
using EfScaling.Routing.Checks;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Verifies what the configuration of shards promises: that they can be used, have the same schema, and hold the rows that belong to them.</summary>
public static class ShardCheckDatabaseFacadeExtensions
{
    /// <summary>Finds every row that is on a shard which its key does not belong to, and reference tables that differ between shards.</summary>
    /// <param name="database">The context's <c>Database</c>; on a context of one shard, that shard is looked at alone.</param>
    /// <param name="options">From where the rows are read and in which portions; <see langword="null"/> for the defaults.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>What was found of each table on each shard.</returns>
    /// <remarks>
    /// Reads the keys of every sharded table once, page by page in the order of the primary key: where the map has buckets, the server computes them and sends only rows
    /// that may be misplaced. The context's command timeout counts for each page. Rows that move meanwhile may be told as misplaced.
    /// </remarks>
    /// <exception cref="ShardsFailedException">Some shards could not be read; the message names each with its reason.</exception>
    /// <exception cref="InvalidOperationException">The context has no shards.</exception>
    public static Task<PlacementResult> VerifyPlacementAsync(this DatabaseFacade database, PlacementCheckOptions? options = null, CancellationToken cancellationToken = default)
    {
        var router = Router(database, nameof(VerifyPlacementAsync));
        return new PlacementCheck(router.Shards!.Database, Work(database), options ?? new PlacementCheckOptions(), router.Cluster.Clock).RunAsync(cancellationToken);
    }

    /// <summary>Compares the schemas of all shards: tables, columns, indexes and constraints of the model's schemas, and migrations.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Each difference by name, such as <c>shard 'east' lacks index public.Orders.IX_Orders_Total</c>; empty if there is none.</returns>
    /// <remarks>What most shards have counts as right. The order of columns does not matter. Read from PostgreSQL's catalog, on the primaries.</remarks>
    /// <inheritdoc cref="VerifyPlacementAsync" path="/exception" />
    public static Task<IReadOnlyList<SchemaDifference>> CompareShardSchemasAsync(this DatabaseFacade database, CancellationToken cancellationToken = default)
    {
        Router(database, nameof(CompareShardSchemasAsync));
        return new SchemaComparison(Work(database), database.GetMigrations).RunAsync(cancellationToken);
    }

    /// <summary>Asks the primary of every shard whether it can be used as the configuration says.</summary>
    /// <param name="database">The context's <c>Database</c>; on a context of one shard, that shard is asked alone.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What is wrong or to be watched; a shard that cannot be reached is a finding too.</returns>
    /// <remarks>Two round trips for each shard. Meant for the start of an application and its health checks: <c>(await ...).ThrowIfUnhealthy()</c>.</remarks>
    /// <exception cref="InvalidOperationException">The context has no shards.</exception>
    public static Task<ShardsCheckResult> CheckShardsAsync(this DatabaseFacade database, CancellationToken cancellationToken = default)
    {
        Router(database, nameof(CheckShardsAsync));
        return new ShardsCheck(Work(database)).RunAsync(cancellationToken);
    }

    private static ShardWork Work(DatabaseFacade database) => (ShardWork)((IInfrastructure<IServiceProvider>)database).Instance.GetService(typeof(ShardWork))!;

    private static ReadRouter Router(DatabaseFacade database, string method) =>
        ((IInfrastructure<IServiceProvider>)database).Instance.GetService(typeof(ReadRouter)) is ReadRouter { Shards: not null } router
            ? router
            : throw new InvalidOperationException($"{method} was called on a context without shards. Call UseSharding(...) on its options.");
}
