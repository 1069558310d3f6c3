using System.Transactions;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Schema;

/// <summary>Creates, migrates and deletes the databases of all shards that a context works on.</summary>
/// <remarks>A shard that fails keeps none of the others from being worked on; all failures are told in one exception. Not thread-safe, like the context.</remarks>
internal sealed class ShardedSchema(ShardWork work, ICurrentDbContext current)
{
    /// <summary>Creates the databases and tables that do not exist, and then seeds.</summary>
    /// <returns>Whether anything was created.</returns>
    /// <exception cref="ShardsFailedException">Some shards failed; nothing was seeded.</exception>
    public bool Create()
    {
        using var alone = Begin(nameof(DatabaseFacade.EnsureCreated));
        var created = ShardWork.Values(nameof(DatabaseFacade.EnsureCreated), work.Run(BoundSchema.Create)).Contains(true);
        Seed(created);
        return created;
    }

    /// <inheritdoc cref="Create" />
    public async Task<bool> CreateAsync(int maxParallel, IProgress<ShardProgress>? progress, CancellationToken cancellationToken)
    {
        using var alone = Begin(nameof(DatabaseFacade.EnsureCreatedAsync));
        var results = await work.RunAsync(BoundSchema.CreateAsync, maxParallel, progress, cancellationToken).ConfigureAwait(false);
        var created = ShardWork.Values(nameof(DatabaseFacade.EnsureCreatedAsync), results).Contains(true);
        await SeedAsync(created, cancellationToken).ConfigureAwait(false);
        return created;
    }

    /// <summary>Migrates the databases, which are created if they do not exist, and then seeds.</summary>
    /// <param name="targetMigration">The migration to come to; <see langword="null"/> for the newest.</param>
    /// <exception cref="ShardsFailedException">Some shards failed; nothing was seeded.</exception>
    public void Migrate(string? targetMigration)
    {
        using var alone = Begin(nameof(IMigrator.Migrate));
        Seed(ShardWork.Values(nameof(IMigrator.Migrate), work.Run(c => BoundSchema.Migrate(c, targetMigration))).Contains(true));
    }

    /// <inheritdoc cref="Migrate" />
    public async Task MigrateAsync(string? targetMigration, int maxParallel, IProgress<ShardProgress>? progress, CancellationToken cancellationToken)
    {
        using var alone = Begin(nameof(IMigrator.MigrateAsync));
        var results = await work.RunAsync((c, token) => BoundSchema.MigrateAsync(c, targetMigration, token), maxParallel, progress, cancellationToken).ConfigureAwait(false);
        await SeedAsync(ShardWork.Values(nameof(IMigrator.MigrateAsync), results).Contains(true), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Creates what transactions over several shards need, where it is missing.</summary>
    /// <exception cref="ShardsFailedException">Some shards failed.</exception>
    public async Task CreateDecisionsAsync(CancellationToken cancellationToken) => ShardWork.Values(
        "EnsureShardTransactionsCreatedAsync",
        await work.RunAsync(BoundSchema.CreateDecisionsAsync, ShardWork.DefaultParallel, progress: null, cancellationToken).ConfigureAwait(false));

    /// <summary>Tells which migrations each shard has.</summary>
    public Task<IReadOnlyList<ShardResult<ShardMigrations>>> GetMigrationsAsync(int maxParallel, CancellationToken cancellationToken) =>
        work.RunAsync(
            static async (context, token) =>
            {
                var applied = await context.Database.GetAppliedMigrationsAsync(token).ConfigureAwait(false);
                return new ShardMigrations([.. applied], [.. context.Database.GetMigrations().Except(applied, StringComparer.Ordinal)]);
            },
            maxParallel,
            progress: null,
            cancellationToken);

    /// <summary>Asks or tells the creator of every shard's database something.</summary>
    /// <exception cref="ShardsFailedException">Some shards failed.</exception>
    public IReadOnlyList<T> OnAll<T>(string attempted, Func<IRelationalDatabaseCreator, T> ask) =>
        ShardWork.Values(attempted, work.Run(c => ask(c.GetService<IRelationalDatabaseCreator>())));

    /// <inheritdoc cref="OnAll" />
    public async Task<IReadOnlyList<T>> OnAllAsync<T>(string attempted, Func<IRelationalDatabaseCreator, CancellationToken, Task<T>> ask, CancellationToken cancellationToken) =>
        ShardWork.Values(
            attempted,
            await work.RunAsync((c, token) => ask(c.GetService<IRelationalDatabaseCreator>(), token), ShardWork.DefaultParallel, progress: null, cancellationToken).ConfigureAwait(false));

    /// <summary>Returns what the history tables of all shards have in common: what one of them lacks is still to do.</summary>
    /// <exception cref="ShardsFailedException">The history of some could not be read.</exception>
    public IReadOnlyList<HistoryRow> AppliedEverywhere() =>
        Common(ShardWork.Values("Reading the migration history", work.Run(c => c.GetService<IHistoryRepository>().GetAppliedMigrations())));

    /// <inheritdoc cref="AppliedEverywhere" />
    public async Task<IReadOnlyList<HistoryRow>> AppliedEverywhereAsync(CancellationToken cancellationToken) =>
        Common(ShardWork.Values(
            "Reading the migration history",
            await work.RunAsync((c, token) => c.GetService<IHistoryRepository>().GetAppliedMigrationsAsync(token), ShardWork.DefaultParallel, progress: null, cancellationToken).ConfigureAwait(false)));

    private static List<HistoryRow> Common(IReadOnlyList<IReadOnlyList<HistoryRow>> histories) =>
        [.. histories[0].Where(row => histories.All(h => h.Any(r => r.MigrationId == row.MigrationId)))];

    // Each shard has connections of its own, which no transaction around the call may reach.
    private TransactionScope Begin(string attempted) =>
        current.Context.Database.CurrentTransaction is null
            ? new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled)
            : throw new InvalidOperationException(
                $"{attempted} was called on a context that spans all shards while a transaction of the context is open, which leads to '{current.Context.GetService<ReadRouter>().Shards!.Own}' alone. Call it before the transaction begins.");

    // Not in a transaction, as EF seeds one database: the rows may belong to several.
    private void Seed(bool isChanged)
    {
        var core = current.Context.GetService<IDbContextOptions>().FindExtension<CoreOptionsExtension>();
        if (core?.Seeder is { } seed)
        {
            seed(current.Context, isChanged);
        }
        else if (core?.AsyncSeeder is not null)
        {
            throw new InvalidOperationException(CoreStrings.MissingSeeder);
        }
    }

    private async Task SeedAsync(bool isChanged, CancellationToken cancellationToken)
    {
        var core = current.Context.GetService<IDbContextOptions>().FindExtension<CoreOptionsExtension>();
        if (core?.AsyncSeeder is { } seed)
        {
            await seed(current.Context, isChanged, cancellationToken).ConfigureAwait(false);
        }
        else if (core?.Seeder is not null)
        {
            throw new InvalidOperationException(CoreStrings.MissingSeeder);
        }
    }
}
