using System.Data.Common;
using EfScaling.Consistency;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Routing;

/// <summary>Commits and takes the position of the log in the same flush.</summary>
/// <remarks>
/// Each of the two statements ends with a Sync of its own: without it both run in one implicit transaction, and the position is the one before the commit
/// record. A position that cannot be had is no failure of the commit, and a failed commit fails as it does without EfScaling.
/// </remarks>
internal static class PositionedCommit
{
    /// <summary>Commits.</summary>
    /// <returns>A position at or above that of the commit, not normalised; <see langword="null"/> if it could not be had.</returns>
    public static WalPosition? Send(NpgsqlConnection connection, NpgsqlTransaction transaction)
    {
        using var batch = BatchOn(connection, transaction);
        try
        {
            using var reader = batch.ExecuteReader();
            return reader.Read() ? PositionOf(reader) : null;
        }
        catch (Exception exception) when (exception is DbException or OperationCanceledException && IsCommitted(batch))
        {
            return null;
        }
    }

    /// <inheritdoc cref="Send" />
    public static async Task<WalPosition?> SendAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        var batch = BatchOn(connection, transaction);
        await using (batch.ConfigureAwait(false))
        {
            try
            {
                var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? PositionOf(reader) : null;
                }
            }
            catch (Exception exception) when (exception is DbException or OperationCanceledException && IsCommitted(batch))
            {
                return null;
            }
        }
    }

    private static NpgsqlBatch BatchOn(NpgsqlConnection connection, NpgsqlTransaction transaction) => new(connection, transaction)
    {
        EnableErrorBarriers = true,
        BatchCommands = { new NpgsqlBatchCommand("COMMIT"), new NpgsqlBatchCommand("SELECT pg_current_wal_insert_lsn()") },
    };

    private static WalPosition PositionOf(NpgsqlDataReader reader) => new((ulong)reader.GetFieldValue<NpgsqlLogSequenceNumber>(0));

    // The server's answer to COMMIT has arrived, and only what came after it failed.
    private static bool IsCommitted(NpgsqlBatch batch) => batch.BatchCommands[0].StatementType == StatementType.Other;
}
