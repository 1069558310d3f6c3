using EfScaling.Consistency;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Replication.ChangeStream;

/// <summary>The replication slot in which the server keeps what was not handed on yet.</summary>
internal sealed class ChangeSlot(ChangeServer server, ChangeStreamOptions options)
{
    private const string Plugin = "pgoutput";

    private const string Existing =
        """
        SELECT plugin::text, database::text, active, coalesce(wal_status = 'lost' OR restart_lsn IS NULL, true), current_database()::text
        FROM pg_replication_slots
        WHERE slot_name = $1
        """;

    private const string Lag = "SELECT pg_current_wal_flush_lsn(), pg_current_wal_flush_lsn() - restart_lsn FROM pg_replication_slots WHERE slot_name = $1";

    private string NewName => options.Slot + "_new";

    /// <summary>Asks the server for the slot.</summary>
    /// <exception cref="ChangeStreamRefusedException">The slot belongs to something else.</exception>
    public async Task<ChangeSlotState> FindAsync(CancellationToken cancellationToken)
    {
        var command = server.DataSource.CreateCommand(Existing);
        await using (command.ConfigureAwait(false))
        {
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = options.Slot });
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    return ChangeSlotState.Missing;
                }

                var (plugin, database) = (reader.IsDBNull(0) ? null : reader.GetString(0), reader.IsDBNull(1) ? null : reader.GetString(1));
                if (plugin is "")
                {
                    // Another instance is making the slot at this moment: the server shows it before it has its plugin.
                    return ChangeSlotState.Taken;
                }

                if (plugin != Plugin || database != reader.GetString(4))
                {
                    throw new ChangeStreamRefusedException(
                        $"The slot '{options.Slot}' on '{server.Node}' is of another database or plugin ('{database}', '{plugin}'): choose another name for Slot, for each database its own.");
                }

                return reader.GetBoolean(2) ? ChangeSlotState.Taken
                    : reader.GetBoolean(3) ? ChangeSlotState.Lost
                    : ChangeSlotState.Ready;
            }
        }
    }

    /// <summary>Drops the slot; somebody else may have done so.</summary>
    public async Task DropAsync(CancellationToken cancellationToken)
    {
        try
        {
            await ScalarAsync<object>("SELECT pg_drop_replication_slot($1)::text", [options.Slot], cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException gone) when (gone.SqlState is PostgresErrorCodes.UndefinedObject or PostgresErrorCodes.ObjectInUse)
        {
            // The next look at the slot says what it has become.
        }
    }

    /// <summary>Makes the slot, after the consumer has learned that everything before it may have changed.</summary>
    /// <param name="reportGap">Tells the consumer; the argument is the position from which on the slot knows every change.</param>
    /// <param name="cancellationToken">Gives up; the slot does not exist then.</param>
    /// <returns><see langword="false"/> when another instance is doing the same.</returns>
    /// <remarks>
    /// A slot that exists says that no change before it is unreported. So it is made under another name, for this connection only, and gets its lasting name by
    /// a copy after the report: an instance that dies in between leaves no slot.
    /// </remarks>
    /// <exception cref="ChangeStreamRefusedException">The server has no room for the slot.</exception>
    public async Task<bool> CreateAsync(Func<WalPosition, Task> reportGap, CancellationToken cancellationToken)
    {
        var connection = await server.DataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            try
            {
                var start = await ScalarAsync<NpgsqlLogSequenceNumber>(
                    connection, "SELECT lsn FROM pg_create_logical_replication_slot($1, $2, true)", [NewName, Plugin], cancellationToken).ConfigureAwait(false);

                // The name of the new slot admits one instance; another may have been here before.
                if (await FindAsync(cancellationToken).ConfigureAwait(false) != ChangeSlotState.Missing)
                {
                    return false;
                }

                await reportGap(new WalPosition((ulong)start)).ConfigureAwait(false);
                await ScalarAsync<object>(
                    connection, "SELECT lsn::text FROM pg_copy_logical_replication_slot($1, $2, false)", [NewName, options.Slot], cancellationToken).ConfigureAwait(false);
                return true;
            }
            catch (PostgresException raced) when (raced.SqlState == PostgresErrorCodes.DuplicateObject)
            {
                return false;
            }
            catch (PostgresException full) when (full.SqlState == PostgresErrorCodes.ConfigurationLimitExceeded)
            {
                throw new ChangeStreamRefusedException(
                    $"Reading changes from '{server.Node}' needs one slot and, while it is made, a second ({NodeError.Describe(full)}): raise max_replication_slots and max_wal_senders.", full);
            }
            finally
            {
                // The temporary slot ends with its session, which must not go on in a pool.
                NpgsqlConnection.ClearPool(connection);
            }
        }
    }

    /// <summary>Measures the end of the log and what the server keeps of it for the slot.</summary>
    /// <returns><see langword="null"/> when there is no slot.</returns>
    public async Task<(WalPosition End, long RetainedBytes)?> MeasureAsync(CancellationToken cancellationToken)
    {
        var command = server.DataSource.CreateCommand(Lag);
        await using (command.ConfigureAwait(false))
        {
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = options.Slot });
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
                    ? (new WalPosition((ulong)reader.GetFieldValue<NpgsqlLogSequenceNumber>(0)), reader.IsDBNull(1) ? 0 : (long)reader.GetDecimal(1))
                    : null;
            }
        }
    }

    private async Task<T?> ScalarAsync<T>(string sql, string[] arguments, CancellationToken cancellationToken)
    {
        var connection = await server.DataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            return await ScalarAsync<T>(connection, sql, arguments, cancellationToken).ConfigureAwait(false);
        }
    }

    // Without a timeout: a new slot waits for the end of every transaction that is open.
    private static async Task<T?> ScalarAsync<T>(NpgsqlConnection connection, string sql, string[] arguments, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await using (command.ConfigureAwait(false))
        {
            foreach (var argument in arguments)
            {
                command.Parameters.Add(new NpgsqlParameter { Value = argument, NpgsqlDbType = NpgsqlDbType.Name });
            }

            return (T?)await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
