using System.Data;
using System.Data.Common;
using EfScaling.Consistency;
using EfScaling.Routing.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.Routing;

/// <summary>A transaction whose commit is known by position, and that tells the context's session when EF itself closes the connection behind it.</summary>
/// <remarks>
/// The position is taken here and not by an interceptor: one that commits must run behind all those of the application, which may still write into the
/// transaction or keep it from being committed, and EF runs them in the order in which they were added, with the library's first.
/// </remarks>
internal sealed class PositionedTransaction(
    IRelationalConnection connection,
    DbTransaction transaction,
    Guid transactionId,
    IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
    bool transactionOwned,
    ISqlGenerationHelper sqlGenerationHelper) : RelationalTransaction(connection, transaction, transactionId, logger, transactionOwned, sqlGenerationHelper)
{
    private const string CommitAction = "Commit";

    private readonly DbTransaction _transaction = transaction;
    private readonly bool _isOwned = transactionOwned;

    // Found while the context is alive: a transaction that is still open is cleared when the context is disposed.
    private readonly ReadRouter _router = RouterOf(connection);

    private (DateTimeOffset Time, long Timestamp) _commitStart;

    /// <summary>Gets the router of what runs in the transaction.</summary>
    public ReadRouter Router => _router;

    /// <summary>Gets whether EF has begun the transaction, so that its end is known here.</summary>
    public bool IsOwned => _isOwned;

    /// <summary>Gets the isolation of the transaction.</summary>
    public IsolationLevel Isolation { get; } = transaction.IsolationLevel;

    private ContextSession Session => _router.Session;

    private SpanningTransaction? Spanning => _router.Shards?.SpanningOf(this);

    private TimeProvider Clock => _router.Cluster.Clock;

    private static ReadRouter RouterOf(IRelationalConnection connection)
    {
        var router = ReadRouter.Of(connection);

        // Known to the router from here on, with whatever it asks of it at the end.
        _ = router.Connection;
        return router;
    }

    /// <inheritdoc />
    public override void Commit()
    {
        if (Spanning is { } spanning)
        {
            Synchrony.Result(spanning.CommitAsync(async: false, CancellationToken.None));
            return;
        }

        var (startTime, start) = (Clock.GetUtcNow(), Clock.GetTimestamp());
        try
        {
            var interception = Logger.TransactionCommitting(Connection, _transaction, TransactionId, startTime);
            WalPosition? position = null;
            if (_router.Writes is { } announced)
            {
                announced.Begin();
                announced.Announce();
                announced.Confirm();
            }

            if (!interception.IsSuppressed)
            {
                if (OwnConnection is { } own)
                {
                    position = PositionedCommit.Send(own, (NpgsqlTransaction)_transaction);
                }
                else
                {
                    _transaction.Commit();
                }
            }

            Session.Committed(position);
            _router.Writes?.Publish();
            Logger.TransactionCommitted(Connection, _transaction, TransactionId, startTime, Clock.GetElapsedTime(start));
        }
        catch (Exception exception)
        {
            // It may be committed all the same, or be tried again; unless the server says what became of it.
            if (exception is not PostgresException || CommitDoubt.RemainsAfter(exception))
            {
                _router.Writes?.PublishInDoubt();
            }

            Logger.TransactionError(Connection, _transaction, TransactionId, CommitAction, exception, startTime, Clock.GetElapsedTime(start));
            throw;
        }
        finally
        {
            _router.Writes?.End();
        }

        ClearTransaction();
    }

    /// <inheritdoc />
    public override async Task CommitAsync(CancellationToken cancellationToken = default)
    {
        if (Spanning is { } spanning)
        {
            await spanning.CommitAsync(async: true, cancellationToken).ConfigureAwait(false);
            return;
        }

        var (startTime, start) = (Clock.GetUtcNow(), Clock.GetTimestamp());
        try
        {
            var interception = await Logger.TransactionCommittingAsync(Connection, _transaction, TransactionId, startTime, cancellationToken).ConfigureAwait(false);
            WalPosition? position = null;
            if (_router.Writes is { } announced)
            {
                announced.Begin();
                announced.Announce();
                await announced.ConfirmAsync().ConfigureAwait(false);
            }

            if (!interception.IsSuppressed)
            {
                if (OwnConnection is { } own)
                {
                    position = await PositionedCommit.SendAsync(own, (NpgsqlTransaction)_transaction, cancellationToken).ConfigureAwait(false);
                }
                else
                {
                    await _transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                }
            }

            Session.Committed(position);
            if (_router.Writes is { } writes)
            {
                await writes.PublishAsync().ConfigureAwait(false);
            }

            await Logger.TransactionCommittedAsync(Connection, _transaction, TransactionId, startTime, Clock.GetElapsedTime(start), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            if (_router.Writes is { } writes && (exception is not PostgresException || CommitDoubt.RemainsAfter(exception)))
            {
                await writes.PublishInDoubtAsync().ConfigureAwait(false);
            }

            await Logger.TransactionErrorAsync(
                Connection, _transaction, TransactionId, CommitAction, exception, startTime, Clock.GetElapsedTime(start), cancellationToken).ConfigureAwait(false);
            throw;
        }
        finally
        {
            _router.Writes?.End();
        }

        await ClearTransactionAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc />
    public override void CreateSavepoint(string name)
    {
        base.CreateSavepoint(name);
        if (_router.Shards?.Spanning is { } spanning && spanning.Home == this)
        {
            Synchrony.Result(spanning.CreateSavepointAsync(name, async: false, CancellationToken.None));
        }
    }

    /// <inheritdoc />
    public override async Task CreateSavepointAsync(string name, CancellationToken cancellationToken = default)
    {
        await base.CreateSavepointAsync(name, cancellationToken).ConfigureAwait(false);
        if (_router.Shards?.Spanning is { } spanning && spanning.Home == this)
        {
            await spanning.CreateSavepointAsync(name, async: true, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc />
    public override void RollbackToSavepoint(string name)
    {
        base.RollbackToSavepoint(name);
        if (_router.Shards?.Spanning is { } spanning && spanning.Home == this)
        {
            Synchrony.Result(spanning.RollbackToSavepointAsync(name, async: false, CancellationToken.None));
        }
    }

    /// <inheritdoc />
    public override async Task RollbackToSavepointAsync(string name, CancellationToken cancellationToken = default)
    {
        await base.RollbackToSavepointAsync(name, cancellationToken).ConfigureAwait(false);
        if (_router.Shards?.Spanning is { } spanning && spanning.Home == this)
        {
            await spanning.RollbackToSavepointAsync(name, async: true, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc />
    public override void ReleaseSavepoint(string name)
    {
        base.ReleaseSavepoint(name);
        if (_router.Shards?.Spanning is { } spanning && spanning.Home == this)
        {
            Synchrony.Result(spanning.ReleaseSavepointAsync(name, async: false, CancellationToken.None));
        }
    }

    /// <inheritdoc />
    public override async Task ReleaseSavepointAsync(string name, CancellationToken cancellationToken = default)
    {
        await base.ReleaseSavepointAsync(name, cancellationToken).ConfigureAwait(false);
        if (_router.Shards?.Spanning is { } spanning && spanning.Home == this)
        {
            await spanning.ReleaseSavepointAsync(name, async: true, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Begins the commit of a transaction that is one of several: tells the interceptors and announces what was written.</summary>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">An interceptor suppresses the commit, or the cache could not be told of it and such writes are refused.</exception>
    public async ValueTask BeginCommitAsync(bool async, CancellationToken cancellationToken)
    {
        _commitStart = (Clock.GetUtcNow(), Clock.GetTimestamp());
        var interception = async
            ? await Logger.TransactionCommittingAsync(Connection, _transaction, TransactionId, _commitStart.Time, cancellationToken).ConfigureAwait(false)
            : Logger.TransactionCommitting(Connection, _transaction, TransactionId, _commitStart.Time);
        if (interception.IsSuppressed)
        {
            throw new InvalidOperationException(
                $"An interceptor has suppressed the commit on the shard '{_router.ShardName}' of a transaction over several shards, which are committed together or not at all. Leave such transactions to EfScaling in TransactionCommitting(...).");
        }

        if (_router.Writes is { } writes)
        {
            writes.Begin();
            writes.Announce();
            if (async)
            {
                await writes.ConfirmAsync().ConfigureAwait(false);
            }
            else
            {
                writes.Confirm();
            }
        }
    }

    /// <summary>Notes what the commit of a transaction that is one of several has written, after it was decided. Never fails.</summary>
    /// <param name="position">The insert position behind the commit; <see langword="null"/> if it is not known.</param>
    /// <param name="isVisible">Whether the rows can be read already.</param>
    /// <param name="async">Whether to wait asynchronously.</param>
    public async ValueTask NoteCommittedAsync(WalPosition? position, bool isVisible, bool async)
    {
        Session.Committed(position);
        if (_router.Writes is { } writes)
        {
            switch (isVisible, async)
            {
                case (true, true):
                    await writes.PublishAsync().ConfigureAwait(false);
                    break;
                case (true, false):
                    writes.Publish();
                    break;
                case (false, true):
                    await writes.PublishInDoubtAsync().ConfigureAwait(false);
                    break;
                default:
                    writes.PublishInDoubt();
                    break;
            }

            writes.End();
        }
    }

    /// <summary>Tells that a transaction that is one of several was committed, and ends it.</summary>
    /// <param name="async">Whether to wait asynchronously.</param>
    public async ValueTask EndCommitAsync(bool async)
    {
        if (async)
        {
            await Logger.TransactionCommittedAsync(Connection, _transaction, TransactionId, _commitStart.Time, Clock.GetElapsedTime(_commitStart.Timestamp)).ConfigureAwait(false);
            await ClearTransactionAsync().ConfigureAwait(false);
        }
        else
        {
            Logger.TransactionCommitted(Connection, _transaction, TransactionId, _commitStart.Time, Clock.GetElapsedTime(_commitStart.Timestamp));
            ClearTransaction();
        }
    }

    /// <summary>Notes that the commit of a transaction that is one of several has failed. Never fails itself.</summary>
    /// <param name="isInDoubt">Whether it may be committed all the same.</param>
    /// <param name="async">Whether to wait asynchronously.</param>
    public async ValueTask NoteFailedAsync(bool isInDoubt, bool async)
    {
        if (_router.Writes is { } writes)
        {
            if (isInDoubt && async)
            {
                await writes.PublishInDoubtAsync().ConfigureAwait(false);
            }
            else if (isInDoubt)
            {
                writes.PublishInDoubt();
            }

            writes.End();
        }
    }

    /// <summary>Tells that the commit of a transaction that is one of several has failed.</summary>
    /// <param name="exception">Why.</param>
    /// <param name="async">Whether to wait asynchronously.</param>
    public async ValueTask FailCommitAsync(Exception exception, bool async)
    {
        var duration = Clock.GetElapsedTime(_commitStart.Timestamp);
        if (async)
        {
            await Logger.TransactionErrorAsync(Connection, _transaction, TransactionId, CommitAction, exception, _commitStart.Time, duration).ConfigureAwait(false);
        }
        else
        {
            Logger.TransactionError(Connection, _transaction, TransactionId, CommitAction, exception, _commitStart.Time, duration);
        }
    }

    /// <inheritdoc />
    protected override void ClearTransaction()
    {
        if (Spanning is { } spanning)
        {
            Synchrony.Result(spanning.EndAsync(async: false));
        }

        EndWrites();
        Session.BeginClear();
        try
        {
            base.ClearTransaction();
        }
        finally
        {
            Session.EndClear();
        }
    }

    /// <inheritdoc />
    protected override async Task ClearTransactionAsync(CancellationToken cancellationToken = default)
    {
        if (Spanning is { } spanning)
        {
            await spanning.EndAsync(async: true).ConfigureAwait(false);
        }

        await EndWritesAsync().ConfigureAwait(false);
        Session.BeginClear();
        try
        {
            await base.ClearTransactionAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Session.EndClear();
        }
    }

    // What was committed is published by now. Of a transaction of the application's, which it ends itself, nobody knows what became.
    private void EndWrites()
    {
        if (_isOwned)
        {
            _router.Writes?.Discard();
        }
        else
        {
            _router.Writes?.Publish();
        }
    }

    private ValueTask EndWritesAsync()
    {
        if (_router.Writes is not { } writes)
        {
            return ValueTask.CompletedTask;
        }

        return _isOwned ? writes.DiscardAsync() : writes.PublishAsync();
    }

    // A context that was given another database has positions that mean nothing in this cluster's log.
    private NpgsqlConnection? OwnConnection =>
        _transaction is NpgsqlTransaction { Connection: { } connection } && _router.Cluster.IsOwn(connection.ConnectionString) ? connection : null;
}
