using EfScaling.Routing.Schema;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Creates and migrates the schema of a sharded database, shard by shard.</summary>
public static class ShardSchemaDatabaseFacadeExtensions
{
    /// <summary>Migrates every shard, as <c>MigrateAsync</c> does on a context that spans all shards, and tells how far it is.</summary>
    /// <param name="database">The context's <c>Database</c>; on a context of one shard, that shard is migrated alone.</param>
    /// <param name="targetMigration">The migration to come to; <see langword="null"/> for the newest.</param>
    /// <param name="maxParallel">How many shards are worked on at once; at least 1.</param>
    /// <param name="progress">Told when a shard begins, is done or fails, from any thread.</param>
    /// <param name="cancellationToken">Ends the work; a migration that is under way is rolled back.</param>
    /// <remarks>
    /// Each shard keeps its own history of migrations. One process at a time migrates a shard; others wait for it, then find it done. Seeding of the context runs once,
    /// when all shards are done.
    /// </remarks>
    /// <exception cref="ShardsFailedException">Some shards failed; the others are done and can be used. The message names each with its reason.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxParallel"/> is less than 1.</exception>
    /// <exception cref="InvalidOperationException">The context has no shards, or a transaction is open.</exception>
    public static Task MigrateShardsAsync(
        this DatabaseFacade database,
        string? targetMigration = null,
        int maxParallel = ShardWork.DefaultParallel,
        IProgress<ShardProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        Schema(database, nameof(MigrateShardsAsync)).MigrateAsync(targetMigration, maxParallel, progress, cancellationToken);

    /// <summary>Creates what does not exist of every shard, as <c>EnsureCreatedAsync</c> does on a context that spans all shards, and tells how far it is.</summary>
    /// <param name="database">The context's <c>Database</c>; on a context of one shard, that shard is created alone.</param>
    /// <param name="maxParallel">How many shards are worked on at once; at least 1.</param>
    /// <param name="progress">Told when a shard begins, is done or fails, from any thread.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>Whether anything was created on any shard.</returns>
    /// <remarks>A database that has tables is left as it is. Two processes may call it at the same time.</remarks>
    /// <inheritdoc cref="MigrateShardsAsync" path="/exception" />
    public static Task<bool> EnsureShardsCreatedAsync(
        this DatabaseFacade database, int maxParallel = ShardWork.DefaultParallel, IProgress<ShardProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Schema(database, nameof(EnsureShardsCreatedAsync)).CreateAsync(maxParallel, progress, cancellationToken);

    /// <summary>Tells which migrations each shard has and which it lacks.</summary>
    /// <param name="database">The context's <c>Database</c>; on a context of one shard, that shard is asked alone.</param>
    /// <param name="maxParallel">How many shards are asked at once; at least 1.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The answer of each shard in the order in which they were added, or why it gave none.</returns>
    /// <remarks>
    /// <c>GetAppliedMigrationsAsync</c> of a context that spans all shards gives the migrations that every shard has, and <c>GetPendingMigrationsAsync</c> those that some lack.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxParallel"/> is less than 1.</exception>
    /// <exception cref="InvalidOperationException">The context has no shards.</exception>
    public static Task<IReadOnlyList<ShardResult<ShardMigrations>>> GetShardMigrationsAsync(
        this DatabaseFacade database, int maxParallel = ShardWork.DefaultParallel, CancellationToken cancellationToken = default) =>
        Schema(database, nameof(GetShardMigrationsAsync)).GetMigrationsAsync(maxParallel, cancellationToken);

    private static ShardedSchema Schema(DatabaseFacade database, string method) =>
        ((IInfrastructure<IServiceProvider>)database).Instance.GetService(typeof(ShardedSchema)) as ShardedSchema
        ?? throw new InvalidOperationException($"{method} was called on a context without shards. Call UseSharding(...) on its options.");
}
