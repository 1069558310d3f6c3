using System.Data;
using EfScaling.Consistency;
using EfScaling.Topology;
using Npgsql;

namespace EfScaling.Replication;

/// <summary>Asks one node for its role, identity and WAL position, over a connection of its own.</summary>
/// <remarks>Not thread-safe: the monitor never overlaps two probes of a node. A failed probe drops the connection; the next opens a new one.</remarks>
internal sealed class ReplicaProbe(Node node, TimeProvider clock) : IAsyncDisposable
{
    // Recovery is asked once and first: a node promoted between two columns must not report a primary's position as a replica's.
    // The timeline of a standby is the newest that any of its sources has seen; the WAL receiver's is hidden from roles without pg_read_all_stats.
    internal const string Sql =
        """
        WITH node AS MATERIALIZED (SELECT pg_is_in_recovery() AS recovering)
        SELECT recovering,
               CASE WHEN recovering THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END,
               system.system_identifier,
               CASE WHEN recovering
                    THEN greatest(checkpoint.timeline_id, recovery.min_recovery_end_timeline, coalesce((SELECT max(received_tli) FROM pg_stat_wal_receiver), 0))
                    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int
               END,
               init.wal_block_size,
               init.bytes_per_wal_segment,
               (SELECT oid FROM pg_database WHERE datname = current_database()),
               (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint,
               pg_backend_pid()
        FROM node, pg_control_system() AS system, pg_control_checkpoint() AS checkpoint, pg_control_recovery() AS recovery, pg_control_init() AS init
        """;

    // Each holds a connection, perhaps one of the application's own data source.
    private const int MaxLeftToThemselves = 2;

    private int _leftToThemselves;
    private NpgsqlConnection? _connection;
    private Opening? _opening;

    /// <summary>Probes the node once.</summary>
    /// <param name="timeout">Bound on connecting and asking together.</param>
    /// <param name="cancellationToken">Ends the wait when the monitor pauses.</param>
    /// <exception cref="TimeoutException">The node did not answer in time.</exception>
    /// <exception cref="NpgsqlException">The node could not be reached or refused.</exception>
    public async Task<NodeSample> AskAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _leftToThemselves) >= MaxLeftToThemselves)
        {
            throw new TimeoutException("The node has not answered earlier questions yet.");
        }

        var connection = await ConnectAsync(timeout, cancellationToken).ConfigureAwait(false);
        var asking = AskAsync(connection);
        try
        {
            return await asking.WaitAsync(timeout, clock, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            // Cancelling would make Npgsql ask the server to stop, and wait for a server that hangs. The question is left to itself instead; its
            // connection goes when the answer or the network's verdict comes.
            _connection = null;
            _ = LeaveAsync(asking, connection);
            throw exception is TimeoutException ? Unanswered(timeout, exception) : exception;
        }
    }

    /// <summary>Closes the probe's connection.</summary>
    public async ValueTask DisposeAsync()
    {
        var (opening, connection) = (_opening, _connection);
        (_opening, _connection) = (null, null);
        if (opening is not null)
        {
            _ = LeaveAsync(opening, opening.Connection);
        }

        if (connection is not null)
        {
            await connection.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Reads the single row that <see cref="Sql"/> returns.</summary>
    internal static NodeSample ReadSample(NpgsqlDataReader reader, Moment sentAt, Moment receivedAt)
    {
        var role = reader.GetBoolean(0) ? NodeRole.Replica : NodeRole.Primary;
        var position = reader.IsDBNull(1) ? WalPosition.None : new WalPosition((ulong)reader.GetFieldValue<NpgsqlTypes.NpgsqlLogSequenceNumber>(1));
        var identity = new ServerIdentity((ulong)reader.GetInt64(2), (uint)reader.GetInt32(3), reader.GetFieldValue<uint>(6));
        var geometry = new WalGeometry((uint)reader.GetInt32(4), (uint)reader.GetInt32(5));
        return new NodeSample(role, identity, role == NodeRole.Primary ? geometry.Normalize(position) : position, sentAt, receivedAt)
        {
            ServerStart = (ulong)reader.GetInt64(7),
            Session = reader.GetInt32(8),
            Geometry = geometry,
        };
    }

    private static TimeoutException Unanswered(TimeSpan timeout, Exception? cause) => new($"The node did not answer within {timeout.TotalMilliseconds:0} ms.", cause);

    private async Task<NpgsqlConnection> ConnectAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (_connection is { State: ConnectionState.Open } open)
        {
            return open;
        }

        if (_connection is not null)
        {
            await _connection.DisposeAsync().ConfigureAwait(false);
            _connection = null;
        }

        // A connection that takes longer than a probe may take is not thrown away: the next probe goes on waiting for it. On a busy machine each attempt
        // would otherwise come to nothing just before it succeeds.
        var opening = _opening ??= Opening.Begin(node.ProbeSource);
        try
        {
            await opening.Done.WaitAsync(timeout, clock, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException exception) when (!opening.Done.IsCompleted)
        {
            throw Unanswered(timeout, exception);
        }
        catch when (opening.Done.IsCompleted)
        {
            _opening = null;
            await opening.Connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        _opening = null;
        return _connection = opening.Connection;
    }

    private async Task<NodeSample> AskAsync(NpgsqlConnection connection)
    {
        var command = new NpgsqlCommand(Sql, connection) { CommandTimeout = 0 };
        await using (command.ConfigureAwait(false))
        {
            var sentAt = Moment.Now(clock);
            var reader = await command.ExecuteReaderAsync().ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync().ConfigureAwait(false);
                return ReadSample(reader, sentAt, Moment.Now(clock));
            }
        }
    }

    private Task LeaveAsync(Opening opening, NpgsqlConnection connection) => LeaveAsync(opening.Done, connection);

    private async Task LeaveAsync(Task unfinished, NpgsqlConnection connection)
    {
        Interlocked.Increment(ref _leftToThemselves);
        await unfinished.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await connection.DisposeAsync().ConfigureAwait(false);
        Interlocked.Decrement(ref _leftToThemselves);
    }

    private sealed record Opening(NpgsqlConnection Connection, Task Done)
    {
        public static Opening Begin(NpgsqlDataSource source)
        {
            var connection = source.CreateConnection();
            return new Opening(connection, connection.OpenAsync());
        }
    }
}
