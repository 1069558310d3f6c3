using EfScaling.Consistency;
using EfScaling.Replication;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Routing;

/// <summary>Makes all queries of a context see one moment on one node, until it is disposed: a count and its page, parents and their children.</summary>
/// <remarks>
/// Begun by <c>context.Database.BeginReplicaSnapshotAsync()</c>. Read-only. Not thread-safe, like the context. A long snapshot on a standby may be ended by
/// the server when it conflicts with recovery (<c>max_standby_streaming_delay</c>); the query that meets this throws.
/// </remarks>
public sealed class ReplicaSnapshot : IDisposable, IAsyncDisposable
{
    // The snapshot is that of the first statement: taken now, not when the application gets round to its first query.
    private const string BeginSql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1";

    private readonly ReadRouter _router;

    private ReplicaSnapshot(ReadRouter router, NodeConnection connection, RoutingDecision routing) => (_router, Connection, Routing) = (router, connection, routing);

    /// <summary>Gets the node of the snapshot, why it was chosen, and how old its data may have been when the snapshot was taken.</summary>
    public RoutingDecision Routing { get; }

    internal NodeConnection Connection { get; }

    /// <summary>Ends the snapshot. Later queries of the context are routed as usual.</summary>
    public void Dispose()
    {
        if (_router.TryEnd(this))
        {
            // The driver rolls back what is open when the connection goes back to its pool.
            Connection.Close();
        }
    }

    /// <inheritdoc cref="Dispose" />
    public async ValueTask DisposeAsync()
    {
        if (_router.TryEnd(this))
        {
            await Connection.CloseAsync().ConfigureAwait(false);
        }
    }

    internal static ReplicaSnapshot Begin(ReadRouter router)
    {
        var read = router.BeginSnapshotRead();
        while (true)
        {
            read.TryFindReplica();
            var snapshot = new ReplicaSnapshot(router, read.ConnectionForSnapshot(), router.LastDecision!.Value);
            try
            {
                if (snapshot.TryBegin(read.Guard))
                {
                    read.Answered();
                    return router.Begin(snapshot);
                }

                read.WasBehind();
            }
            catch (Exception exception) when (read.MovesOn(exception, CancellationToken.None))
            {
                // The next node, or at last the primary.
            }
        }
    }

    internal static async Task<ReplicaSnapshot> BeginAsync(ReadRouter router, CancellationToken cancellationToken)
    {
        var read = router.BeginSnapshotRead();
        while (true)
        {
            await read.TryFindReplicaAsync(cancellationToken).ConfigureAwait(false);
            var snapshot = new ReplicaSnapshot(router, read.ConnectionForSnapshot(), router.LastDecision!.Value);
            try
            {
                if (await snapshot.TryBeginAsync(read.Guard, cancellationToken).ConfigureAwait(false))
                {
                    read.Answered();
                    return router.Begin(snapshot);
                }

                read.WasBehind();
            }
            catch (Exception exception) when (read.MovesOn(exception, cancellationToken))
            {
                // The next node, or at last the primary.
            }
        }
    }

    // False if the node is behind. The guard is a round trip of its own: inside the transaction it would be checked after the snapshot was taken.
    private bool TryBegin(WalPosition guard)
    {
        Connection.Open();
        if (guard != WalPosition.None)
        {
            using var check = GuardCommand(guard);
            if (check.ExecuteScalar() is not true)
            {
                return false;
            }
        }

        using var command = Command(BeginSql);
        command.ExecuteNonQuery();
        return true;
    }

    private async Task<bool> TryBeginAsync(WalPosition guard, CancellationToken cancellationToken)
    {
        await Connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        if (guard != WalPosition.None)
        {
            var check = GuardCommand(guard);
            await using (check.ConfigureAwait(false))
            {
                if (await check.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not true)
                {
                    return false;
                }
            }
        }

        var command = Command(BeginSql);
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }

        return true;
    }

    private NpgsqlCommand GuardCommand(WalPosition guard)
    {
        var command = Command("SELECT pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= $1");
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.PgLsn, Value = new NpgsqlLogSequenceNumber(guard.Value) });
        return command;
    }

    private NpgsqlCommand Command(string sql)
    {
        var connection = (NpgsqlConnection)Connection.DbConnection;
        return new NpgsqlCommand(sql, connection) { CommandTimeout = Connection.CommandTimeout ?? connection.CommandTimeout };
    }
}
