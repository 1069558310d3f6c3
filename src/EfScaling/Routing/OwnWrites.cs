using System.Data;
using System.Data.Common;
using System.Transactions;
using EfScaling.Consistency;

namespace EfScaling.Routing;

/// <summary>Keeps the moment up to which a context must see everything, because it wrote or read the primary before.</summary>
/// <remarks>
/// Whatever the context's own connection did lies before the moment it was closed, whoever closed it: EF, a transaction, or the application beside EF. What
/// an ambient transaction did becomes visible when that ends, which may be after the connection was closed. Not thread-safe, like the context.
/// </remarks>
internal sealed class OwnWrites(TimeProvider clock)
{
    private Transaction? _transaction;
    private bool _isDivertedRead;

    /// <summary>Gets the context's own connection; <see langword="null"/> until it is known.</summary>
    public DbConnection? Connection { get; private set; }

    /// <summary>Gets whether the connection is in use, by the application or by a reader.</summary>
    public bool IsConnectionOpen => Connection is { State: not ConnectionState.Closed };

    /// <summary>Gets the moment before which everything committed must be visible to the context's reads.</summary>
    public Moment Floor { get; private set; } = Moment.Never;

    /// <summary>Watches the context's own connection.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="isNew">Whether EF has just made it, so that nothing can have been written on it.</param>
    public void Watch(DbConnection connection, bool isNew)
    {
        if (ReferenceEquals(connection, Connection))
        {
            return;
        }

        Unwatch();
        Connection = connection;
        connection.StateChange += OnStateChange;
        if (!isNew)
        {
            // A connection of the application: what it did on it before is unknown.
            Floor = Moment.Now(clock);
        }
    }

    /// <summary>Stops watching.</summary>
    public void Unwatch()
    {
        if (Connection is not null)
        {
            Connection.StateChange -= OnStateChange;
            Connection = null;
        }
    }

    /// <summary>Notes a transaction around the context, whose writes become visible only when it ends.</summary>
    public void Note(Transaction transaction)
    {
        if (_transaction is null || !_transaction.Equals(transaction))
        {
            _transaction?.Dispose();

            // A clone can still be asked after the application has disposed its own.
            _transaction = transaction.Clone();
        }
    }

    /// <summary>Raises the floor if a transaction around the context has ended since it was noted.</summary>
    /// <param name="now">The present moment: when exactly the transaction ended is not known.</param>
    public void Settle(Moment now)
    {
        if (_transaction is { TransactionInformation.Status: not System.Transactions.TransactionStatus.Active })
        {
            _transaction.Dispose();
            _transaction = null;
            Floor = now;
        }
    }

    /// <summary>Notes that the next use of the connection is a query that certainly only reads, and is there only for want of a replica.</summary>
    /// <remarks>Were it to raise the floor, a context that reads without pause would never get back to the replicas.</remarks>
    public void BeginDivertedRead() => _isDivertedRead = true;

    /// <summary>Notes that the connection is used for something else, or that the diverted query failed.</summary>
    public void EndDivertedRead() => _isDivertedRead = false;

    /// <summary>Forgets everything but the connection, for the next lease of a pooled context.</summary>
    public void Forget()
    {
        _transaction?.Dispose();
        _transaction = null;
        _isDivertedRead = false;
        Floor = Moment.Never;
    }

    private void OnStateChange(object? sender, StateChangeEventArgs change)
    {
        if (change.CurrentState != ConnectionState.Closed)
        {
            return;
        }

        if (Transaction.Current is { } transaction)
        {
            Note(transaction);
        }

        if (!_isDivertedRead)
        {
            Floor = Moment.Now(clock);
        }

        _isDivertedRead = false;
    }
}
