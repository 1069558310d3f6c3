using EfScaling.Consistency;
using EfScaling.Routing.Shards;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Routing.Transactions;

/// <summary>One shard of a transaction over several shards: its open transaction, and how that is brought to an end.</summary>
/// <param name="shards">The shards of the context.</param>
/// <param name="transaction">The open transaction.</param>
/// <remarks>Not thread-safe; but several participants can be worked on at once.</remarks>
internal sealed class Participant(ContextShards shards, PositionedTransaction transaction)
{
    private const string AskPosition = "SELECT pg_current_wal_insert_lsn()";

    /// <summary>What tells that a prepared transaction has ended: whoever settled it was faster.</summary>
    public const string IsEnded = PostgresErrorCodes.UndefinedObject;

    // The transaction does not tell any more once it is prepared.
    private readonly NpgsqlConnection _own = (NpgsqlConnection)transaction.Router.Connection.DbConnection;

    /// <summary>Gets the shard.</summary>
    public string Shard { get; } = transaction.Router.ShardName!;

    /// <summary>Gets the transaction.</summary>
    public PositionedTransaction Transaction => transaction;

    /// <summary>Gets whether the shard may keep a prepared part.</summary>
    public bool MayBePrepared { get; private set; }

    /// <summary>Gets whether the shard has committed.</summary>
    public bool IsCommitted { get; private set; }

    /// <summary>Gets the position of the shard's log behind its commit; <see langword="null"/> if it is not known.</summary>
    public WalPosition? Position { get; private set; }

    /// <summary>Prepares.</summary>
    /// <param name="name">The name of the prepared part.</param>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait; then it may be prepared all the same.</param>
    /// <exception cref="PostgresException">The shard refuses, and has rolled back.</exception>
    public async ValueTask PrepareAsync(PreparedName name, bool async, CancellationToken cancellationToken)
    {
        // A transaction that has failed would be rolled back by PREPARE without a word; any other statement fails in it.
        using var batch = new NpgsqlBatch(_own) { BatchCommands = { new NpgsqlBatchCommand("SELECT 1"), new NpgsqlBatchCommand(name.Statement("PREPARE TRANSACTION")) } };
        MayBePrepared = true;
        try
        {
            _ = async ? await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) : batch.ExecuteNonQuery();
        }
        catch (PostgresException refusal) when (!CommitDoubt.RemainsAfter(refusal))
        {
            MayBePrepared = false;
            throw;
        }
    }

    /// <summary>Commits with the decision that the others commit as well.</summary>
    /// <param name="id">The transaction.</param>
    /// <param name="names">The participants.</param>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <exception cref="PostgresException">The shard refuses, and has rolled back, unless <see cref="CommitDoubt"/> remains.</exception>
    public async ValueTask DecideAsync(Guid id, string[] names, bool async)
    {
        using var batch = new NpgsqlBatch(_own)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand(DecisionSql.Commit) { Parameters = { new NpgsqlParameter<Guid> { TypedValue = id }, new NpgsqlParameter<string[]> { TypedValue = names } } },
                new NpgsqlBatchCommand("COMMIT") { AppendErrorBarrier = true },
                new NpgsqlBatchCommand(AskPosition),
            },
        };
        try
        {
            Position = await PositionOfAsync(batch, async).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is NpgsqlException or OperationCanceledException && batch.BatchCommands[1].StatementType == StatementType.Other)
        {
            // The answer to COMMIT has arrived, and only the position is missing.
        }
        catch (NpgsqlException failure) when (failure.InnerException is AggregateException { InnerExceptions: [PostgresException first, ..] })
        {
            // Behind a decision that is refused, the question for the position fails as well.
            throw first;
        }

        IsCommitted = true;
    }

    /// <summary>Notes that the shard has committed, as its decision says.</summary>
    public void NoteDecided() => IsCommitted = true;

    /// <summary>Ends the prepared part, by the participant's own connection at first and by new ones if that is lost.</summary>
    /// <param name="name">The name of the prepared part.</param>
    /// <param name="commit">Whether to commit it or to roll it back.</param>
    /// <param name="timeout">How long to go on trying.</param>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <exception cref="NpgsqlException">It did not succeed in time.</exception>
    public async ValueTask FinishAsync(PreparedName name, bool commit, TimeSpan timeout, bool async)
    {
        var clock = transaction.Router.Cluster.Clock;
        var start = clock.GetTimestamp();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                if (attempt == 1 && _own.FullState == System.Data.ConnectionState.Open)
                {
                    await FinishOnAsync(_own, name, commit, async).ConfigureAwait(false);
                }
                else
                {
                    var source = shards.SourceOf(Shard);
                    var connection = async ? await source.OpenConnectionAsync(CancellationToken.None).ConfigureAwait(false) : source.OpenConnection();
                    try
                    {
                        await FinishOnAsync(connection, name, commit, async).ConfigureAwait(false);
                    }
                    finally
                    {
                        await Synchrony.DisposeAsync(connection, async).ConfigureAwait(false);
                    }
                }

                (MayBePrepared, IsCommitted) = (false, commit);
                return;
            }
            catch (PostgresException ended) when (ended.SqlState == IsEnded)
            {
                (MayBePrepared, IsCommitted) = (false, commit);
                return;
            }
            catch (NpgsqlException) when (clock.GetElapsedTime(start) < timeout)
            {
                // The connection is lost, the server starts again, or another process is ending the same one.
            }

            await Synchrony.PauseAsync(attempt, clock, async).ConfigureAwait(false);
        }
    }

    private async ValueTask FinishOnAsync(NpgsqlConnection connection, PreparedName name, bool commit, bool async)
    {
        using var batch = new NpgsqlBatch(connection) { EnableErrorBarriers = true, BatchCommands = { new NpgsqlBatchCommand(name.Statement(commit ? "COMMIT PREPARED" : "ROLLBACK PREPARED")) } };
        if (!commit)
        {
            _ = async ? await batch.ExecuteNonQueryAsync(CancellationToken.None).ConfigureAwait(false) : batch.ExecuteNonQuery();
            return;
        }

        batch.BatchCommands.Add(new NpgsqlBatchCommand(AskPosition));
        try
        {
            Position = await PositionOfAsync(batch, async).ConfigureAwait(false);
        }
        catch (NpgsqlException) when (batch.BatchCommands[0].StatementType == StatementType.Other)
        {
            // It is committed, and only the position is missing.
        }
    }

    private static async ValueTask<WalPosition?> PositionOfAsync(NpgsqlBatch batch, bool async)
    {
        var position = (NpgsqlLogSequenceNumber?)(async ? await batch.ExecuteScalarAsync(CancellationToken.None).ConfigureAwait(false) : batch.ExecuteScalar());
        return position is { } known ? new WalPosition((ulong)known) : null;
    }
}
