using Microsoft.EntityFrameworkCore.Migrations;

namespace EfScaling.Routing.Schema;

/// <summary>Counts a migration as applied once every shard has it. Each shard keeps its own history, which its own context reads and writes.</summary>
internal sealed class ShardedHistoryRepository(IHistoryRepository inner, ShardedSchema schema) : IHistoryRepository
{
    /// <inheritdoc />
    public LockReleaseBehavior LockReleaseBehavior => inner.LockReleaseBehavior;

    /// <inheritdoc />
    public IReadOnlyList<HistoryRow> GetAppliedMigrations() => schema.AppliedEverywhere();

    /// <inheritdoc />
    public Task<IReadOnlyList<HistoryRow>> GetAppliedMigrationsAsync(CancellationToken cancellationToken = default) => schema.AppliedEverywhereAsync(cancellationToken);

    /// <inheritdoc />
    public bool Exists() => inner.Exists();

    /// <inheritdoc />
    public Task<bool> ExistsAsync(CancellationToken cancellationToken = default) => inner.ExistsAsync(cancellationToken);

    /// <inheritdoc />
    public void Create() => inner.Create();

    /// <inheritdoc />
    public Task CreateAsync(CancellationToken cancellationToken = default) => inner.CreateAsync(cancellationToken);

    /// <inheritdoc />
    public bool CreateIfNotExists() => inner.CreateIfNotExists();

    /// <inheritdoc />
    public Task<bool> CreateIfNotExistsAsync(CancellationToken cancellationToken = default) => inner.CreateIfNotExistsAsync(cancellationToken);

    /// <inheritdoc />
    public IMigrationsDatabaseLock AcquireDatabaseLock() => inner.AcquireDatabaseLock();

    /// <inheritdoc />
    public Task<IMigrationsDatabaseLock> AcquireDatabaseLockAsync(CancellationToken cancellationToken = default) => inner.AcquireDatabaseLockAsync(cancellationToken);

    /// <inheritdoc />
    public string GetCreateScript() => inner.GetCreateScript();

    /// <inheritdoc />
    public string GetCreateIfNotExistsScript() => inner.GetCreateIfNotExistsScript();

    /// <inheritdoc />
    public string GetInsertScript(HistoryRow row) => inner.GetInsertScript(row);

    /// <inheritdoc />
    public string GetDeleteScript(string migrationId) => inner.GetDeleteScript(migrationId);

    /// <inheritdoc />
    public string GetBeginIfNotExistsScript(string migrationId) => inner.GetBeginIfNotExistsScript(migrationId);

    /// <inheritdoc />
    public string GetBeginIfExistsScript(string migrationId) => inner.GetBeginIfExistsScript(migrationId);

    /// <inheritdoc />
    public string GetEndIfScript() => inner.GetEndIfScript();
}
