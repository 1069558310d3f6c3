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
    // As the provider asks, except that tables of EfScaling itself do not count: a catalog may have put its own there before.
    private const string IsEmptySql =
        """
        SELECT NOT EXISTS (
            SELECT FROM pg_class AS relation JOIN pg_namespace AS schema ON schema.oid = relation.relnamespace
            WHERE relation.relkind IN ('r', 'v', 'm', 'f', 'p')
              AND schema.nspname NOT IN ('pg_catalog', 'information_schema', 'efscaling')
              AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype IN ('e', 'x')))
        """;

    /// <summary>Creates the database and its tables if there are none.</summary>
    /// <returns>Whether anything was created.</returns>
    public static bool Create(DbContext context)
    {
        var creator = CreateDatabase(context);
        using var held = SchemaLock.Acquire(context);
        var isEmpty = IsEmpty(held);
        if (isEmpty)
        {
            creator.CreateTables();
        }

        SeenShardMap.Record(context, held);
        DecisionTable.Create(held);
        return isEmpty;
    }

    /// <inheritdoc cref="Create" />
    public static async Task<bool> CreateAsync(DbContext context, CancellationToken cancellationToken)
    {
        var creator = await CreateDatabaseAsync(context, cancellationToken).ConfigureAwait(false);
        var held = await SchemaLock.AcquireAsync(context, cancellationToken).ConfigureAwait(false);
        await using (held.ConfigureAwait(false))
        {
            var isEmpty = await IsEmptyAsync(held, cancellationToken).ConfigureAwait(false);
            if (isEmpty)
            {
                await creator.CreateTablesAsync(cancellationToken).ConfigureAwait(false);
            }

            await SeenShardMap.RecordAsync(context, held, cancellationToken).ConfigureAwait(false);
            await DecisionTable.CreateAsync(held, cancellationToken).ConfigureAwait(false);
            return isEmpty;
        }
    }

    /// <summary>Creates what transactions over several shards need, in a database that exists.</summary>
    /// <returns>Always <see langword="true"/>.</returns>
    public static async Task<bool> CreateDecisionsAsync(DbContext context, CancellationToken cancellationToken)
    {
        var held = await SchemaLock.AcquireAsync(context, cancellationToken).ConfigureAwait(false);
        await using (held.ConfigureAwait(false))
        {
            await DecisionTable.CreateOrFailAsync(held, cancellationToken).ConfigureAwait(false);
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
        SeenShardMap.Record(context, held);
        DecisionTable.Create(held);
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
            await SeenShardMap.RecordAsync(context, held, cancellationToken).ConfigureAwait(false);
            await DecisionTable.CreateAsync(held, cancellationToken).ConfigureAwait(false);
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

    private static bool IsEmpty(SchemaLock held)
    {
        using var command = held.Command(IsEmptySql);
        return command.ExecuteScalar() is true;
    }

    private static async Task<bool> IsEmptyAsync(SchemaLock held, CancellationToken cancellationToken)
    {
        var command = held.Command(IsEmptySql);
        await using (command.ConfigureAwait(false))
        {
            return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
        }
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
