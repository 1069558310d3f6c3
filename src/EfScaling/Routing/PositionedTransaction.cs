using System.Data.Common;
using EfScaling.Consistency;
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
    private readonly ReadRouter _router = ReadRouter.Of(connection);

    private ContextSession Session => _router.Session;

    private TimeProvider Clock => _router.Cluster.Clock;

    /// <inheritdoc />
    public override void Commit()
    {
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
    protected override void ClearTransaction()
    {
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
