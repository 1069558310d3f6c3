using EfScaling.Caching;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;

namespace EfScaling.Routing;

/// <summary>Tells the cache which tables SaveChanges writes, and when it has.</summary>
/// <remarks>The tables are those of the commands that are sent, not of the entities: inheritance, owned types and join tables are resolved there.</remarks>
internal sealed class CachingBatchExecutor(IBatchExecutor inner) : IBatchExecutor
{
    /// <inheritdoc />
    public int Execute(IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection)
    {
        if (ReadRouter.Of(connection).Writes is not { } writes)
        {
            return inner.Execute(commandBatches, connection);
        }

        writes.Begin();
        try
        {
            writes.Prepare();
            using var batches = Observe(commandBatches, writes).GetEnumerator();
            if (!batches.MoveNext())
            {
                return 0;
            }

            writes.Confirm();
            return inner.Execute(Rest(batches), connection);
        }
        catch (Exception exception) when (CommitDoubt.RemainsAfter(exception))
        {
            writes.DoubtStatement(connection);
            throw;
        }
        finally
        {
            // Also after a failure: whether a statement that failed was committed is not always known, and a version that is bumped in vain costs a miss.
            writes.EndStatement(connection);
        }
    }

    /// <inheritdoc />
    public async Task<int> ExecuteAsync(
        IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection, CancellationToken cancellationToken = default)
    {
        if (ReadRouter.Of(connection).Writes is not { } writes)
        {
            return await inner.ExecuteAsync(commandBatches, connection, cancellationToken).ConfigureAwait(false);
        }

        writes.Begin();
        try
        {
            await writes.PrepareAsync().ConfigureAwait(false);
            using var batches = Observe(commandBatches, writes).GetEnumerator();
            if (!batches.MoveNext())
            {
                return 0;
            }

            // Further batches run in a transaction, which confirms what they announce before it commits.
            await writes.ConfirmAsync().ConfigureAwait(false);
            return await inner.ExecuteAsync(Rest(batches), connection, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (CommitDoubt.RemainsAfter(exception))
        {
            await writes.DoubtStatementAsync(connection).ConfigureAwait(false);
            throw;
        }
        finally
        {
            await writes.EndStatementAsync(connection).ConfigureAwait(false);
        }
    }

    private static IEnumerable<ModificationCommandBatch> Observe(IEnumerable<ModificationCommandBatch> batches, ContextWrites writes)
    {
        foreach (var batch in batches)
        {
            foreach (var command in batch.ModificationCommands)
            {
                if (command.StoreStoredProcedure is not null)
                {
                    writes.NoteUnknown(changesSchema: false);
                }
                else
                {
                    writes.Note(new TableName(command.Schema, command.TableName), KindOf(command.EntityState));
                }
            }

            writes.Announce();
            yield return batch;
        }
    }

    // The batches from the present one on.
    private static IEnumerable<ModificationCommandBatch> Rest(IEnumerator<ModificationCommandBatch> batches)
    {
        do
        {
            yield return batches.Current;
        }
        while (batches.MoveNext());
    }

    private static WriteKind KindOf(EntityState state) => state switch
    {
        EntityState.Added => WriteKind.Insert,
        EntityState.Deleted => WriteKind.Delete,
        _ => WriteKind.Update,
    };
}
