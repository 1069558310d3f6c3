using System.Data.Common;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Routing.Schema;

/// <summary>Keeps other processes from changing the schema of a database at the same time.</summary>
/// <remarks>
/// An advisory lock of the session, on the context's own connection, which stays open as long. Waits for another holder as long as the context's command
/// timeout says, or without limit: it may be migrating a large table.
/// </remarks>
internal sealed class SchemaLock : IDisposable, IAsyncDisposable
{
    // "EfScalin" in ASCII: the key that all versions of EfScaling must agree on.
    private const string Key = "5000776122542877038";

    private readonly DbContext _context;

    private SchemaLock(DbContext context) => _context = context;

    /// <summary>Waits for the lock.</summary>
    /// <param name="context">A context whose database exists.</param>
    public static SchemaLock Acquire(DbContext context)
    {
        context.Database.OpenConnection();
        try
        {
            using var command = Command(context, "pg_advisory_lock");
            command.ExecuteNonQuery();
            return new SchemaLock(context);
        }
        catch
        {
            context.Database.CloseConnection();
            throw;
        }
    }

    /// <inheritdoc cref="Acquire" />
    public static async Task<SchemaLock> AcquireAsync(DbContext context, CancellationToken cancellationToken)
    {
        await context.Database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var command = Command(context, "pg_advisory_lock");
            await using (command.ConfigureAwait(false))
            {
                await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }

            return new SchemaLock(context);
        }
        catch
        {
            await context.Database.CloseConnectionAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (IsHeld)
        {
            using var command = Command(_context, "pg_advisory_unlock");
            command.ExecuteNonQuery();
        }

        _context.Database.CloseConnection();
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (IsHeld)
        {
            var command = Command(_context, "pg_advisory_unlock");
            await using (command.ConfigureAwait(false))
            {
                await command.ExecuteNonQueryAsync().ConfigureAwait(false);
            }
        }

        await _context.Database.CloseConnectionAsync().ConfigureAwait(false);
    }

    // A broken connection has lost it.
    private bool IsHeld => _context.Database.GetDbConnection().State == System.Data.ConnectionState.Open;

    private static DbCommand Command(DbContext context, string function)
    {
        var command = context.Database.GetDbConnection().CreateCommand();
        command.CommandText = $"SELECT {function}({Key})";
        command.CommandTimeout = context.Database.GetCommandTimeout() ?? 0;
        return command;
    }
}
