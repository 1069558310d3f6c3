using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore.Migrations;

namespace EfScaling.Routing.Schema;

/// <summary>Migrates every shard where EF would migrate the database of the context.</summary>
internal sealed class ShardedMigrator(IMigrator inner, ShardedSchema schema) : IMigrator
{
    /// <inheritdoc />
    public void Migrate(string? targetMigration = null) => schema.Migrate(targetMigration);

    /// <inheritdoc />
    public Task MigrateAsync(string? targetMigration = null, CancellationToken cancellationToken = default) =>
        schema.MigrateAsync(targetMigration, ShardWork.DefaultParallel, progress: null, cancellationToken);

    /// <inheritdoc />
    public string GenerateScript(string? fromMigration = null, string? toMigration = null, MigrationsSqlGenerationOptions options = MigrationsSqlGenerationOptions.Default) =>
        inner.GenerateScript(fromMigration, toMigration, options);

    /// <inheritdoc />
    public bool HasPendingModelChanges() => inner.HasPendingModelChanges();
}
