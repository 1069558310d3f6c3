using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.Routing.Schema;

/// <summary>Creates and migrates the database of one shard, through a context that is bound to it.</summary>
/// <remarks>Seeds nothing: that is done once for all shards. One process at a time works on a database; the others wait for it.</remarks>
internal static class BoundSchema
{
    /// <summary>Creates the database and its tables if there are none.</summary>
    /// <returns>Whether anything was created.</returns>
    public static bool Create(DbContext context)
    {
        var creator = CreateDatabase(context);
        using var held = SchemaLock.Acquire(context);
        if (creator.HasTables())
        {
            return false;
        }

        creator.CreateTables();
        return true;
    }

    /// <inheritdoc cref="Create" />
    public static async Task<bool> CreateAsync(DbContext context, CancellationToken cancellationToken)
    {
        var creator = await CreateDatabaseAsync(context, cancellationToken).ConfigureAwait(false);
        var held = await SchemaLock.AcquireAsync(context, cancellationToken).ConfigureAwait(false);
        await using (held.ConfigureAwait(false))
        {
            if (await creator.HasTablesAsync(cancellationToken).ConfigureAwait(false))
            {
                return false;
            }

            await creator.CreateTablesAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
    }

    /// <summary>Migrates the database, which is created if it does not exist.</summary>
    /// <param name="context">The context.</param>
    /// <param name="targetMigration">The migration to come to; <see langword="null"/> for the newest.</param>
    /// <returns>Whether any migration was applied or reverted.</returns>
    public static bool Migrate(DbContext context, string? targetMigration)
    {
        CreateDatabase(context);
        using var held = SchemaLock.Acquire(context);
        var history = context.GetService<IHistoryRepository>();
        var before = history.GetAppliedMigrations();
        UnseededMigrator(context).Migrate(targetMigration);
        return IsChanged(before, history.GetAppliedMigrations());
    }

    /// <inheritdoc cref="Migrate" />
    public static async Task<bool> MigrateAsync(DbContext context, string? targetMigration, CancellationToken cancellationToken)
    {
        await CreateDatabaseAsync(context, cancellationToken).ConfigureAwait(false);
        var held = await SchemaLock.AcquireAsync(context, cancellationToken).ConfigureAwait(false);
        await using (held.ConfigureAwait(false))
        {
            var history = context.GetService<IHistoryRepository>();
            var before = await history.GetAppliedMigrationsAsync(cancellationToken).ConfigureAwait(false);
            await UnseededMigrator(context).MigrateAsync(targetMigration, cancellationToken).ConfigureAwait(false);
            return IsChanged(before, await history.GetAppliedMigrationsAsync(cancellationToken).ConfigureAwait(false));
        }
    }

    private static IRelationalDatabaseCreator CreateDatabase(DbContext context)
    {
        var creator = context.GetService<IRelationalDatabaseCreator>();
        try
        {
            if (!creator.Exists())
            {
                creator.Create();
            }
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.DuplicateDatabase)
        {
            // Another process was faster.
        }

        return creator;
    }

    private static async Task<IRelationalDatabaseCreator> CreateDatabaseAsync(DbContext context, CancellationToken cancellationToken)
    {
        var creator = context.GetService<IRelationalDatabaseCreator>();
        try
        {
            if (!await creator.ExistsAsync(cancellationToken).ConfigureAwait(false))
            {
                await creator.CreateAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.DuplicateDatabase)
        {
            // Another process was faster.
        }

        return creator;
    }

    // EF's migrator takes the seeding from the options that it is made with; a context that configures itself may have set it anew.
    private static IMigrator UnseededMigrator(DbContext context)
    {
        var migrator = context.GetService<IMigrator>();
        var options = context.GetService<IDbContextOptions>();
        return options.FindExtension<CoreOptionsExtension>() is { Seeder: null, AsyncSeeder: null }
            ? migrator
            : (IMigrator)ActivatorUtilities.CreateInstance(context.GetInfrastructure(), migrator.GetType(), new UnseededOptions(options));
    }

    private static bool IsChanged(IReadOnlyList<HistoryRow> before, IReadOnlyList<HistoryRow> after) =>
        !before.Select(r => r.MigrationId).SequenceEqual(after.Select(r => r.MigrationId), StringComparer.Ordinal);
}
