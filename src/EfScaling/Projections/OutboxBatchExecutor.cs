using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;

namespace EfScaling.Projections;

/// <summary>Writes the changed keys to the outbox behind the changes, in the transaction that saves them.</summary>
/// <remarks>
/// Here and not in an interceptor of SaveChanges: before the save the keys that the database generates are not known, and after it EF has committed already.
/// It runs inside of the execution strategy, so a save that is repeated announces its keys again.
/// </remarks>
internal sealed class OutboxBatchExecutor(IBatchExecutor inner, ICurrentDbContext current, OutboxSession session) : IBatchExecutor
{
    /// <inheritdoc />
    public int Execute(IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection)
    {
        if (OutboxChanges.Of(current.Context, session.Projections) is not { } changes)
        {
            return inner.Execute(commandBatches, connection);
        }

        if (IsInTransaction(connection))
        {
            return Save(changes, commandBatches, connection);
        }

        var database = current.Context.Database;
        var usesSavepoints = database.AutoSavepointsEnabled;
        using var transaction = connection.BeginTransaction();
        try
        {
            // A savepoint helps a transaction that goes on after a failed save; this one does not.
            database.AutoSavepointsEnabled = false;
            var rows = Save(changes, commandBatches, connection);
            transaction.Commit();
            return rows;
        }
        finally
        {
            database.AutoSavepointsEnabled = usesSavepoints;
        }
    }

    /// <inheritdoc />
    public async Task<int> ExecuteAsync(
        IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection, CancellationToken cancellationToken = default)
    {
        if (OutboxChanges.Of(current.Context, session.Projections) is not { } changes)
        {
            return await inner.ExecuteAsync(commandBatches, connection, cancellationToken).ConfigureAwait(false);
        }

        if (IsInTransaction(connection))
        {
            return await SaveAsync(changes, commandBatches, connection, cancellationToken).ConfigureAwait(false);
        }

        var database = current.Context.Database;
        var usesSavepoints = database.AutoSavepointsEnabled;
        var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            try
            {
                database.AutoSavepointsEnabled = false;
                var rows = await SaveAsync(changes, commandBatches, connection, cancellationToken).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                return rows;
            }
            finally
            {
                database.AutoSavepointsEnabled = usesSavepoints;
            }
        }
    }

    private static bool IsInTransaction(IRelationalConnection connection) =>
        connection.CurrentTransaction is not null
        || connection is ITransactionEnlistmentManager { EnlistedTransaction: not null } or ITransactionEnlistmentManager { CurrentAmbientTransaction: not null };

    private int Save(OutboxChanges changes, IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection)
    {
        connection.Open();
        try
        {
            var rows = inner.Execute(commandBatches, connection);
            session.Wrote(OutboxTable.Insert(current.Context, changes.Saved()));
            return rows;
        }
        finally
        {
            connection.Close();
        }
    }

    private async Task<int> SaveAsync(
        OutboxChanges changes, IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection, CancellationToken cancellationToken)
    {
        await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var rows = await inner.ExecuteAsync(commandBatches, connection, cancellationToken).ConfigureAwait(false);
            session.Wrote(await OutboxTable.InsertAsync(current.Context, changes.Saved(), cancellationToken).ConfigureAwait(false));
            return rows;
        }
        finally
        {
            await connection.CloseAsync().ConfigureAwait(false);
        }
    }
}
