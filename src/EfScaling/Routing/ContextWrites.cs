// The scope that is kept ends when the application disposes it.
#pragma warning disable CA1001

using System.Transactions;
using EfScaling.Caching;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;

namespace EfScaling.Routing;

/// <summary>Tells the cache of a context's writes: before their statement, and when they are committed.</summary>
/// <remarks>
/// A transaction of EF tells when it is committed, one around the context when it has ended, and a statement outside any when it is done. Whatever becomes
/// of a write is not known until then, and a write that may be committed is published. Not thread-safe, like the context.
/// </remarks>
internal sealed class ContextWrites(QueryCache cache, ILogger logger)
{
    private UnitOfWrites _writes = new(cache, logger);
    private Task<CacheAnswer>? _announcement;
    private WrittenTablesScope? _scope;
    private Transaction? _around;
    private bool _isBusy;
    private bool _mayBeOver;

    /// <summary>Notes what a command that is no query is about to write.</summary>
    /// <returns><see langword="false"/> if it writes nothing that the cache must be told of.</returns>
    public bool TryNote(RoutedCommand command, CommandSource source)
    {
        if (source == CommandSource.Unknown || (source == CommandSource.Migrations && SqlWords.IsProbeOfMigrations(command.CommandText)))
        {
            return false;
        }

        if (command.Written is { Table: { } table } written)
        {
            Note(table, written.Kind);
        }
        else if (command.Written is not null)
        {
            NoteUnknown(changesSchema: false);
        }
        else if (source == CommandSource.Migrations)
        {
            NoteUnknown(SqlWords.MayChangeSchema(command.CommandText));
        }
        else if (SqlWords.IsPrepareTransaction(command.CommandText) || SqlWords.IsRollbackPrepared(command.CommandText))
        {
            // What was written before becomes visible by COMMIT PREPARED alone, whoever sends it.
            return false;
        }
        else
        {
            NoteSql(command.CommandText);
        }

        return true;
    }

    /// <summary>Notes a write to a table.</summary>
    public void Note(TableName table, WriteKind kind) => _writes.Note(table, kind);

    /// <summary>Notes a statement of the application's, which writes to nobody knows which tables unless a scope says it.</summary>
    /// <param name="sql">The statement.</param>
    public void NoteSql(string sql)
    {
        _mayBeOver |= SqlWords.MayEndTransaction(sql);
        var changesSchema = SqlWords.MayChangeSchema(sql);
        if (_scope is null || changesSchema)
        {
            NoteUnknown(changesSchema);
            return;
        }

        foreach (var table in _scope.Tables)
        {
            Note(table, WriteKind.Delete);
            Note(table, WriteKind.Update);
        }
    }

    /// <summary>Notes a write to tables nobody knows.</summary>
    /// <param name="changesSchema">Whether it may have changed the schema.</param>
    public void NoteUnknown(bool changesSchema) => _writes.NoteUnknown(changesSchema);

    /// <summary>Opens a scope in which the application says what its SQL writes.</summary>
    public WrittenTablesScope Enter(IReadOnlyList<TableName> tables) => _scope = new WrittenTablesScope(this, _scope, tables);

    /// <summary>Closes a scope and every scope inside it.</summary>
    public void Leave(WrittenTablesScope scope)
    {
        for (var open = _scope; open is not null; open = open.Outer)
        {
            if (open == scope)
            {
                _scope = scope.Outer;
                return;
            }
        }
    }

    /// <summary>Waits, once in the life of the process, until the cache knows how to tell of writes.</summary>
    public void Prepare() => _writes.Prepare();

    /// <inheritdoc cref="Prepare" />
    public ValueTask PrepareAsync() => _writes.PrepareAsync();

    /// <summary>Announces a statement that is noted and about to be sent. Its end says what becomes of it.</summary>
    /// <exception cref="InvalidOperationException">It could not be announced, and such writes are refused.</exception>
    public void BeginStatement()
    {
        Prepare();
        Announce();
        Confirm();
        Begin();
    }

    /// <inheritdoc cref="BeginStatement" />
    public async ValueTask BeginStatementAsync()
    {
        await PrepareAsync().ConfigureAwait(false);
        Announce();
        await ConfirmAsync().ConfigureAwait(false);
        Begin();
    }

    /// <summary>Announces what is noted, beside its statement.</summary>
    public void Announce() => _announcement = _writes.Announce() ?? _announcement;

    /// <summary>Waits for the announcement, if writes that could not be announced are refused.</summary>
    /// <exception cref="InvalidOperationException">It failed, and they are.</exception>
    public void Confirm()
    {
        if (IsStrict && _announcement is { } announcement)
        {
#pragma warning disable RS0030 // Whoever saves synchronously has asked to be blocked; for a wait of this kind the pool makes up with another thread.
            announcement.Wait();
            Require(announcement.Result);
#pragma warning restore RS0030
        }
    }

    /// <inheritdoc cref="Confirm" />
    public async ValueTask ConfirmAsync()
    {
        if (IsStrict && _announcement is { } announcement)
        {
            Require(await announcement.ConfigureAwait(false));
        }
    }

    /// <summary>Notes that a statement or a commit is under way, whose end says what becomes of the writes.</summary>
    /// <remarks>EF closes the connection before that, and a broken one closes by itself.</remarks>
    public void Begin() => _isBusy = true;

    /// <summary>Notes that it has ended.</summary>
    public void End() => _isBusy = false;

    /// <summary>Publishes what a statement wrote, unless a transaction is open.</summary>
    public void EndStatement(IRelationalConnection connection)
    {
        End();
        if (!IsInTransaction(connection))
        {
            Publish();
        }
    }

    /// <inheritdoc cref="EndStatement" />
    public ValueTask EndStatementAsync(IRelationalConnection connection)
    {
        End();
        return IsInTransaction(connection) ? ValueTask.CompletedTask : PublishAsync();
    }

    /// <summary>Publishes what a statement outside any transaction may have written: nobody knows.</summary>
    public void DoubtStatement(IRelationalConnection connection)
    {
        if (!IsInTransaction(connection))
        {
            _writes.PublishInDoubt();
            _writes.Discard();
        }
    }

    /// <inheritdoc cref="DoubtStatement" />
    public async ValueTask DoubtStatementAsync(IRelationalConnection connection)
    {
        if (!IsInTransaction(connection))
        {
            await _writes.PublishInDoubtAsync().ConfigureAwait(false);
            _writes.Discard();
        }
    }

    /// <summary>Publishes what the transaction wrote, because its commit failed and may have happened, or may be tried again.</summary>
    public void PublishInDoubt() => _writes.PublishInDoubt();

    /// <inheritdoc cref="PublishInDoubt" />
    public ValueTask PublishInDoubtAsync() => _writes.PublishInDoubtAsync();

    /// <summary>Publishes what the transaction wrote: it is committed, or may be.</summary>
    public void Publish()
    {
        _mayBeOver = false;
        _writes.Publish();
    }

    /// <inheritdoc cref="Publish" />
    public ValueTask PublishAsync()
    {
        _mayBeOver = false;
        return _writes.PublishAsync();
    }

    /// <summary>Publishes what is left when the context's connection is closed: writes in a transaction of the application's, which has ended by then.</summary>
    public void EndConnection()
    {
        if (!IsAround && !_isBusy)
        {
            Publish();
        }
    }

    /// <summary>Forgets what the transaction wrote: it was rolled back. If SQL of the application may have ended it before, it is published.</summary>
    public void Discard()
    {
        if (_mayBeOver)
        {
            Publish();
            return;
        }

        _writes.Discard();
    }

    /// <inheritdoc cref="Discard" />
    public ValueTask DiscardAsync()
    {
        if (_mayBeOver)
        {
            return PublishAsync();
        }

        Discard();
        return ValueTask.CompletedTask;
    }

    /// <summary>Makes ready for the next lease of a pooled context.</summary>
    public void Reset()
    {
        _scope = null;
        End();
        EndConnection();
        if (IsAround)
        {
            // They belong to a transaction that goes on without the context.
            _writes = new UnitOfWrites(cache, logger);
        }

        Stand(around: null);
    }

    // The clone can be asked after the application has disposed its own.
    private bool IsAround => _around is { TransactionInformation.Status: TransactionStatus.Active };

    private bool IsStrict => cache.Options.OnPublishFailure == PublishFailure.FailBeforeCommit;

    private bool IsInTransaction(IRelationalConnection connection)
    {
        if (connection.CurrentTransaction is not null)
        {
            return true;
        }

        if (OwnConnection.TransactionAround(connection) is not { } around)
        {
            return false;
        }

        if (!Equals(around, _around))
        {
            Stand(around);

            // The transaction has ended when it says so, and its caller waits for that.
            var writes = _writes;
            around.TransactionCompleted += (_, ended) =>
            {
                if (ended.Transaction?.TransactionInformation.Status == TransactionStatus.Aborted)
                {
                    writes.Discard();
                }
                else
                {
                    writes.Publish();
                }
            };
        }

        return true;
    }

    private void Stand(Transaction? around)
    {
        _around?.Dispose();
        _around = around?.Clone();
    }

    private void Require(CacheAnswer answer)
    {
        _announcement = null;
        if (answer.Failure is { } failure)
        {
            _writes.NoteUnheard();
            throw new InvalidOperationException(
                $"A write was refused because the query cache '{cache.Store.Name}' could not be told of it ({failure}). "
                + "Mend the store, or call OnPublishFailure(PublishFailure.Proceed) to write without it.");
        }
    }
}
