using System.Data;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.Routing.Schema;

/// <summary>Keeps other processes from changing the schema of a database at the same time.</summary>
/// <remarks>
/// An advisory lock of the session, on a connection beside that of the context, which the provider opens and closes for itself. Waits for another holder as long as the context's command
/// timeout says, or without limit: it may be migrating a large table.
/// </remarks>
internal sealed class SchemaLock : IDisposable, IAsyncDisposable
{
    // "EfScalin" in ASCII: the key that all versions of EfScaling must agree on.
    private const string Key = "5000776122542877038";

    private readonly int _timeout;

    private SchemaLock(DbContext context)
    {
        _timeout = context.Database.GetCommandTimeout() ?? 0;
        Connection = (NpgsqlConnection)((ICloneable)context.Database.GetDbConnection()).Clone();
    }

    /// <summary>Gets the connection that holds the lock, for commands of EfScaling itself.</summary>
    public NpgsqlConnection Connection { get; }

    /// <summary>Waits for the lock.</summary>
    /// <param name="context">A context whose database exists.</param>
    public static SchemaLock Acquire(DbContext context)
    {
        var held = new SchemaLock(context);
        try
        {
            held.Connection.Open();
            using var command = held.Command($"SELECT pg_advisory_lock({Key})");
            command.ExecuteNonQuery();
            return held;
        }
        catch
        {
            held.Connection.Dispose();
            throw;
        }
    }

    /// <inheritdoc cref="Acquire" />
    public static async Task<SchemaLock> AcquireAsync(DbContext context, CancellationToken cancellationToken)
    {
        var held = new SchemaLock(context);
        try
        {
            await held.Connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            var command = held.Command($"SELECT pg_advisory_lock({Key})");
            await using (command.ConfigureAwait(false))
            {
                await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }

            return held;
        }
        catch
        {
            await held.Connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Makes a command on the connection that holds the lock, with the context's timeout.</summary>
    public NpgsqlCommand Command(string sql) => new(sql, Connection) { CommandTimeout = _timeout };

    /// <inheritdoc />
    public void Dispose()
    {
        using (Connection)
        {
            if (IsHeld)
            {
                using var command = Command($"SELECT pg_advisory_unlock({Key})");
                command.ExecuteNonQuery();
            }
        }
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await using (Connection.ConfigureAwait(false))
        {
            if (IsHeld)
            {
                var command = Command($"SELECT pg_advisory_unlock({Key})");
                await using (command.ConfigureAwait(false))
                {
                    await command.ExecuteNonQueryAsync().ConfigureAwait(false);
                }
            }
        }
    }

    // A broken connection has lost it.
    private bool IsHeld => Connection.State == ConnectionState.Open;
}
