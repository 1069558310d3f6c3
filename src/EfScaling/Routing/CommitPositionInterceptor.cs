using System.Data.Common;
using EfScaling.Consistency;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Routing;

/// <summary>Takes the position of the log in the same flush as COMMIT, and refuses transactions while a snapshot is open.</summary>
/// <remarks>
/// Each of the two statements ends with a Sync of its own: without it both run in one implicit transaction, and the position is the one before the commit
/// record. A position that cannot be had is no failure of the commit, and a failed commit fails as it does without EfScaling.
/// </remarks>
internal sealed class CommitPositionInterceptor : DbTransactionInterceptor
{
    /// <inheritdoc />
    public override InterceptionResult<DbTransaction> TransactionStarting(DbConnection connection, TransactionStartingEventData eventData, InterceptionResult<DbTransaction> result)
    {
        eventData.Context?.GetService<ReadRouter>().RefuseInSnapshot("A transaction begins");
        return result;
    }

    /// <inheritdoc />
    public override ValueTask<InterceptionResult<DbTransaction>> TransactionStartingAsync(
        DbConnection connection, TransactionStartingEventData eventData, InterceptionResult<DbTransaction> result, CancellationToken cancellationToken = default)
    {
        eventData.Context?.GetService<ReadRouter>().RefuseInSnapshot("A transaction begins");
        return new(result);
    }

    /// <inheritdoc />
    public override InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result)
    {
        if (result.IsSuppressed || transaction is not NpgsqlTransaction { Connection: { } connection } own || SessionOf(eventData) is not { } session)
        {
            return result;
        }

        using var batch = BatchOn(connection, own);
        try
        {
            using var reader = batch.ExecuteReader();
            session.Committed(reader.Read() ? PositionOf(reader) : null);
        }
        catch (Exception exception) when (exception is DbException or OperationCanceledException && IsCommitted(batch))
        {
            session.Committed(null);
        }

        return InterceptionResult.Suppress();
    }

    /// <inheritdoc />
    public override async ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        if (result.IsSuppressed || transaction is not NpgsqlTransaction { Connection: { } connection } own || SessionOf(eventData) is not { } session)
        {
            return result;
        }

        var batch = BatchOn(connection, own);
        await using (batch.ConfigureAwait(false))
        {
            try
            {
                var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    session.Committed(await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? PositionOf(reader) : null);
                }
            }
            catch (Exception exception) when (exception is DbException or OperationCanceledException && IsCommitted(batch))
            {
                session.Committed(null);
            }
        }

        return InterceptionResult.Suppress();
    }

    private static ContextSession? SessionOf(TransactionEventData eventData) => eventData.Context?.GetService<ReadRouter>().Session;

    private static NpgsqlBatch BatchOn(NpgsqlConnection connection, NpgsqlTransaction transaction) => new(connection, transaction)
    {
        EnableErrorBarriers = true,
        BatchCommands = { new NpgsqlBatchCommand("COMMIT"), new NpgsqlBatchCommand("SELECT pg_current_wal_insert_lsn()") },
    };

    private static WalPosition PositionOf(NpgsqlDataReader reader) => new((ulong)reader.GetFieldValue<NpgsqlLogSequenceNumber>(0));

    // The server's answer to COMMIT has arrived, and only what came after it failed.
    private static bool IsCommitted(NpgsqlBatch batch) => batch.BatchCommands[0].StatementType == StatementType.Other;
}
