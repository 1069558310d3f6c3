using System.Data;
using System.Data.Common;
using System.Transactions;
using EfScaling.Consistency;
using EfScaling.Topology;

namespace EfScaling.Routing;

/// <summary>Keeps what a context writes and sees, for itself and for the session around it.</summary>
/// <remarks>
/// Whatever the context's own connection did lies before the moment it was closed, whoever closed it: EF, a transaction, or the application beside EF. What
/// an ambient transaction did becomes visible when that ends, which may be after the connection was closed. Not thread-safe, like the context.
/// </remarks>
internal sealed class ContextSession(IPositionSource source)
{
    private readonly SessionProgress _own = new(source.Shard);
    private Transaction? _transaction;
    private bool _isRead;
    private bool _hasAnswered;
    private bool _isCommitting;
    private bool _isCovered;
    private bool _isHeld;
    private SessionProgress? _heldIn;

    /// <summary>Gets or sets what is called when the context's own connection was closed.</summary>
    public Action? Closed { get; set; }

    /// <summary>Gets the context's own connection; <see langword="null"/> until it is known.</summary>
    public DbConnection? Connection { get; private set; }

    /// <summary>Gets whether the connection is in use, by the application or by a reader.</summary>
    public bool IsConnectionOpen => Connection is { State: not ConnectionState.Closed };

    /// <summary>Gets whether the connection was opened since the newest query began that only reads: a time-out was not that of connecting.</summary>
    public bool WasOpened { get; private set; }

    /// <summary>Gets the progress of the context alone.</summary>
    public SessionProgress Own => _own;

    /// <summary>Gets the progress of the ambient session; <see langword="null"/> outside any.</summary>
    public SessionProgress? Ambient => ConsistencySession.Current?.On(source);

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
            Wrote(Moment.Now(source.Clock));
        }
    }

    /// <summary>Stops watching.</summary>
    public void Unwatch()
    {
        if (Connection is not null)
        {
            Release(Moment.Now(source.Clock));
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

            // The context may not be asked again, but the session around it is.
            if (Ambient is { } ambient)
            {
                _transaction.TransactionCompleted += (_, _) => ambient.Wrote(Moment.Now(source.Clock));
            }
        }
    }

    /// <summary>Notes the writes of a transaction around the context if it has ended.</summary>
    /// <param name="now">The present moment: when exactly the transaction ended is not known.</param>
    public void Settle(Moment now)
    {
        if (_transaction is { TransactionInformation.Status: not System.Transactions.TransactionStatus.Active })
        {
            _transaction.Dispose();
            _transaction = null;
            Wrote(now);
        }
    }

    /// <summary>Notes that the next use of the connection is a query that certainly only reads.</summary>
    public void BeginRead() => (_isRead, _hasAnswered, WasOpened) = (true, false, IsConnectionOpen);

    /// <summary>Notes that the query has begun to answer: other contexts of the session must not go back behind what it shows from now on.</summary>
    public void Answered()
    {
        _hasAnswered = true;
        if (_isRead)
        {
            Ambient?.Read(server: 0, Moment.Now(source.Clock));
        }
    }

    /// <summary>Notes that the connection is used for something else, or that the query failed.</summary>
    public void EndRead()
    {
        _isRead = _isCovered = false;
        if (IsConnectionOpen)
        {
            Hold();
        }
    }

    /// <summary>Notes that a transaction of the connection was committed.</summary>
    /// <param name="position">The insert position behind the commit, as the server reports it; <see langword="null"/> if it is not known.</param>
    public void Committed(WalPosition? position)
    {
        if (position is { } insertPosition && source.Identity is { } identity)
        {
            var known = source.Geometry.Normalize(insertPosition);
            _own.Wrote(identity, known);
            Ambient?.Wrote(identity, known);
            _isCovered = true;
        }
        else
        {
            Wrote(Moment.Now(source.Clock));
        }
    }

    /// <summary>Notes that EF ends a transaction, and closes the connection if it was opened for it alone.</summary>
    public void BeginClear() => _isCommitting = true;

    /// <summary>Notes that EF has ended a transaction. If the connection is still open, whatever follows on it is another matter.</summary>
    public void EndClear() => _isCommitting = _isCovered = false;

    /// <summary>Returns what the next read of the context must show.</summary>
    public Demand Demand()
    {
        if (source.Identity is not { } identity)
        {
            // No replica is judged without it.
            return Consistency.Demand.None;
        }

        return Demand(identity);
    }

    /// <summary>Returns whether the context, and the session around it, may be answered as if they had asked at an earlier moment.</summary>
    /// <param name="moment">The moment.</param>
    /// <param name="now">The present moment.</param>
    /// <returns><see langword="false"/> if they have written, know of writes elsewhere or may have seen what was committed after the moment.</returns>
    public bool AcceptsAnswerOf(Moment moment, Moment now)
    {
        Settle(now);
        return source.Identity is { } identity
            && Demand(identity) is { HasWritten: false, NeedsPrimary: false } demand
            && demand.Position == WalPosition.None
            && demand.GivenAt == Moment.Never
            && demand.Floor <= moment
            && demand.LastRead <= moment;
    }

    /// <summary>Notes that the context has made results of the cache old: it has written by means that nobody sees.</summary>
    public void MadeOld()
    {
        var now = Moment.Now(source.Clock);
        _own.MadeOld(now);
        Ambient?.MadeOld(now);
    }

    /// <summary>Takes in what was written and seen elsewhere.</summary>
    public void Use(ConsistencyToken token)
    {
        _own.Use(token, Moment.Now(source.Clock));
        ConsistencySession.Current?.Use(token);
    }

    /// <summary>Returns the token of all that the context and the session around it have written and seen.</summary>
    public ConsistencyToken GetToken()
    {
        Settle(Moment.Now(source.Clock));
        var token = _own.Settle(source.PositionFor(_own), source.Identity);
        return ConsistencySession.Current is { } session ? token.Merge(session.GetToken()) : token;
    }

    /// <inheritdoc cref="GetToken" />
    public async ValueTask<ConsistencyToken> GetTokenAsync(CancellationToken cancellationToken)
    {
        Settle(Moment.Now(source.Clock));
        var token = _own.Settle(await source.PositionForAsync(_own, cancellationToken).ConfigureAwait(false), source.Identity);
        return ConsistencySession.Current is { } session ? token.Merge(await session.GetTokenAsync(cancellationToken).ConfigureAwait(false)) : token;
    }

    /// <summary>Forgets everything but the connection, for the next lease of a pooled context.</summary>
    public void Forget()
    {
        _transaction?.Dispose();
        _transaction = null;
        _isRead = _isCommitting = _isCovered = false;
        if (_isHeld)
        {
            Release(Moment.Now(source.Clock));
        }

        _own.Forget();
    }

    private Demand Demand(ServerIdentity identity)
    {
        var demand = _own.Demand(identity);
        return ConsistencySession.Current is { } session ? demand.Merge(session.Demand(source, identity)) : demand;
    }

    private void Wrote(Moment before)
    {
        _own.Wrote(before);
        Ambient?.Wrote(before);
    }

    private void OnStateChange(object? sender, StateChangeEventArgs change)
    {
        if (TransactionAround() is { } transaction)
        {
            Note(transaction);
        }

        if (change.CurrentState != ConnectionState.Closed)
        {
            WasOpened = true;
            if (!_isRead)
            {
                Hold();
            }

            return;
        }

        var now = Moment.Now(source.Clock);
        var isCovered = _isCommitting && _isCovered;
        Release(isCovered ? Moment.Never : now);
        if (_isRead)
        {
            // One that failed before it answered has shown nothing.
            if (_hasAnswered)
            {
                _own.Read(server: 0, now);
                Ambient?.Read(server: 0, now);
            }
        }
        else if (!isCovered)
        {
            Wrote(now);
        }

        _isRead = false;
        Closed?.Invoke();
    }

    // Until the connection is closed, whoever asks for a token must reckon with writes on it. The session around the context may change meanwhile.
    private void Hold()
    {
        var ambient = Ambient;
        if (_isHeld && ReferenceEquals(ambient, _heldIn))
        {
            return;
        }

        Release(Moment.Now(source.Clock));
        (_isHeld, _heldIn) = (true, ambient);
        _own.Hold();
        ambient?.Hold();
    }

    private void Release(Moment written)
    {
        if (_isHeld)
        {
            _own.Release(written);
            _heldIn?.Release(written);
            (_isHeld, _heldIn) = (false, null);
        }
    }

    // A scope that is complete does not let anyone ask for its transaction, but it lets connections be closed. The transaction was noted when they were opened.
    private static Transaction? TransactionAround()
    {
        try
        {
            return Transaction.Current;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}
