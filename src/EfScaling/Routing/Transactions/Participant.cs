using System.Globalization;
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
    // Locks on rows are not enough: a row that is added by one writer may be seen by the conditions of the other on one shard and not on the next.
    private const string LockCopies = "SELECT pg_advisory_xact_lock(hashtextextended('efscaling.reference_tables', 0))";

    private const string AskPosition = "SELECT pg_current_wal_insert_lsn()";

    /// <summary>What tells that a prepared transaction has ended: whoever settled it was faster.</summary>
    public const string IsEnded = PostgresErrorCodes.UndefinedObject;

    // In seconds, for each attempt to end a prepared part. It may be infinite by default, and a server that hangs must not hold the caller up, who has nothing to wait for.
    private const int AttemptTimeout = 5;

    // The transaction does not tell any more once it is prepared.
    private readonly NpgsqlConnection _own = (NpgsqlConnection)transaction.Router.Connection.DbConnection;

    /// <summary>Gets the shard.</summary>
    public string Shard { get; } = transaction.Router.ShardName!;

    /// <summary>Gets the transaction.</summary>
    public PositionedTransaction Transaction => transaction;

    /// <summary>Gets whether the shard's server keeps prepared transactions.</summary>
    public bool CanPrepare { get; private set; }

    /// <summary>Gets whether the shard has a table of decisions that the role may write.</summary>
    public bool CanDecide { get; private set; }

    /// <summary>Gets whether anything was written on the shard, by the time it was asked.</summary>
    public bool HasWritten { get; private set; }

    /// <summary>Gets whether the shard has said that it has prepared.</summary>
    public bool IsPrepared { get; private set; }

    /// <summary>Gets whether the shard may keep a prepared part.</summary>
    public bool MayBePrepared { get; private set; }

    /// <summary>Gets whether the shard has committed.</summary>
    public bool IsCommitted { get; private set; }

    /// <summary>Gets the position of the shard's log behind its commit; <see langword="null"/> if it is not known.</summary>
    public WalPosition? Position { get; private set; }

    /// <summary>Sets a lock timeout for the transaction, and learns whether it can be committed with others.</summary>
    /// <param name="locksCopies">Whether to wait, also, until no other transaction writes reference tables on the shard.</param>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <remarks>One round trip, the BEGIN that the driver has kept back included.</remarks>
    public async ValueTask SetUpAsync(bool locksCopies, bool async, CancellationToken cancellationToken)
    {
        var isKnown = shards.Database.CommitsWithOthers.ContainsKey(Shard);
        using var batch = new NpgsqlBatch(_own)
        {
            BatchCommands = { new NpgsqlBatchCommand(isKnown ? DecisionSql.Begin : DecisionSql.BeginFirst) { Parameters = { new NpgsqlParameter<string> { TypedValue = LockTimeout() } } } },
        };
        if (locksCopies)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(LockCopies));
        }

        try
        {
            var reader = async ? await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false) : batch.ExecuteReader();
            try
            {
                _ = async ? await reader.ReadAsync(cancellationToken).ConfigureAwait(false) : reader.Read();
                (CanPrepare, CanDecide) = isKnown ? (true, true) : (reader.GetBoolean(0), reader.GetBoolean(1));
                if (locksCopies)
                {
                    _ = async ? await reader.NextResultAsync(cancellationToken).ConfigureAwait(false) : reader.NextResult();
                }
            }
            finally
            {
                if (async)
                {
                    await reader.DisposeAsync().ConfigureAwait(false);
                }
                else
                {
                    reader.Dispose();
                }
            }
        }
        catch (NpgsqlException failure) when (ShardConnectionException.Of(Shard, failure) is { } named)
        {
            throw named;
        }

        if (CanPrepare && CanDecide)
        {
            _ = shards.Database.CommitsWithOthers.TryAdd(Shard, true);
        }
    }

    /// <summary>Asks whether anything was written on the shard.</summary>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="NpgsqlException">A statement has failed before, or the connection is lost: the transaction cannot be committed.</exception>
    public async ValueTask AskAsync(bool async, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand("SELECT pg_current_xact_id_if_assigned() IS NOT NULL", _own);
        try
        {
            HasWritten = (async ? await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) : command.ExecuteScalar()) is true;
        }
        catch (NpgsqlException failure) when (ShardConnectionException.Of(Shard, failure) is { } named)
        {
            throw named;
        }
    }

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
            IsPrepared = true;
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
                    using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(AttemptTimeout), clock);
                    var connection = async ? await source.OpenConnectionAsync(patience.Token).ConfigureAwait(false) : source.OpenConnection();
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

    // Of two that wait for each other, one must give way first.
    private string LockTimeout() =>
        (shards.Database.Options.LockTimeout.TotalMilliseconds * (1 + (Random.Shared.NextDouble() / 5))).ToString("0", CultureInfo.InvariantCulture);

    private async ValueTask FinishOnAsync(NpgsqlConnection connection, PreparedName name, bool commit, bool async)
    {
        using var batch = new NpgsqlBatch(connection) { EnableErrorBarriers = true, Timeout = AttemptTimeout, BatchCommands = { new NpgsqlBatchCommand(name.Statement(commit ? "COMMIT PREPARED" : "ROLLBACK PREPARED")) } };
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
