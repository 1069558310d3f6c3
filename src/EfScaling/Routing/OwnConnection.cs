using System.Transactions;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>Tells how the context's own connection stands: what a query would find there keeps it from running anywhere else.</summary>
/// <remarks>Not thread-safe, like the context.</remarks>
internal sealed class OwnConnection(Cluster cluster, ContextSession session)
{
    private string? _connectionString;
    private bool _isOwnDatabase;

    /// <summary>Returns the transaction around a context that its statements are part of; <see langword="null"/> outside any, and if the connection takes no part.</summary>
    public static Transaction? TransactionAround(IRelationalConnection connection)
    {
        var manager = connection as ITransactionEnlistmentManager;

        // Npgsql's answer searches the connection string, which costs more than all else here; mostly there is no transaction it could be about.
        return manager?.EnlistedTransaction ?? (Transaction.Current is null ? null : manager?.CurrentAmbientTransaction);
    }

    /// <summary>Returns whether a transaction is open, of EF's or around the context.</summary>
    public bool IsInTransaction(IRelationalConnection connection)
    {
        var around = TransactionAround(connection);
        if (around is not null)
        {
            session.Note(around);
        }

        return around is not null || connection.CurrentTransaction is not null;
    }

    /// <summary>Returns whether the application has given the context another database, whose replicas nobody named.</summary>
    /// <remarks>
    /// SetDbConnection and SetConnectionString do that. Asking for the connection creates it, without opening it: there is no other way to learn of them.
    /// </remarks>
    public bool IsElsewhere(IRelationalConnection connection)
    {
        var own = connection.DbConnection;
        session.Watch(own, isNew: false);
        var connectionString = own.ConnectionString;
        if (!ReferenceEquals(connectionString, _connectionString))
        {
            _connectionString = connectionString;
            _isOwnDatabase = cluster.IsOwn(connectionString);
        }

        return !_isOwnDatabase;
    }
}
