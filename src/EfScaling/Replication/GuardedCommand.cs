using System.Data;
using System.Data.Common;
using EfScaling.Consistency;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Replication;

/// <summary>A query that runs only if the standby has replayed a position, which the standby itself checks in the same round trip.</summary>
/// <remarks>
/// <para>
/// The guard is a statement of its own in front of the query, in the same implicit transaction: replay only goes forward, and in read committed the query's
/// snapshot is taken after the guard was checked. A guard inside the query would be checked after its snapshot was taken, and prove nothing.
/// </para>
/// <para>A guard that does not hold fails by a division by zero, because nothing may be installed for it: an error is all that keeps the query from running.</para>
/// </remarks>
internal sealed class GuardedCommand : NpgsqlCommand
{
    private const string ParameterName = "efscaling_position";

    // A promoted standby keeps its last replay position. In other isolation levels the query would share the guard's snapshot.
    private const string Guard =
        $"SELECT 1 / (pg_is_in_recovery() AND pg_last_wal_replay_lsn() >= @{ParameterName} AND current_setting('transaction_isolation') = 'read committed')::int;\n";

    private readonly int _columns;
    private readonly int _statementsBefore;
    private readonly string _text;

    /// <param name="query">The query; its parameters move to this command.</param>
    /// <param name="position">What must have been replayed.</param>
    /// <param name="wait">How long the server itself may wait for that; <see langword="null"/> if it cannot.</param>
    /// <param name="columns">How many columns the query has, for the empty result of a guard that did not hold.</param>
    public GuardedCommand(NpgsqlCommand query, WalPosition position, TimeSpan? wait, int columns)
        : base((wait is { } time ? WaitFor(position, time) : string.Empty) + Guard + query.CommandText, query.Connection)
    {
        (_columns, _statementsBefore, _text) = (columns, wait is null ? 1 : 2, CommandText);
        CommandTimeout = query.CommandTimeout;
        var parameters = query.Parameters.ToArray();
        query.Parameters.Clear();
        Parameters.AddRange(parameters);
        Parameters.Add(new NpgsqlParameter(ParameterName, NpgsqlDbType.PgLsn) { Value = new NpgsqlLogSequenceNumber(position.Value) });
    }

    /// <summary>Gets whether the SQL is still the guard and the query, and not what an interceptor made of them.</summary>
    public bool IsUnchanged => CommandText == _text;

    /// <summary>Gets whether the guard did not hold, so that the query has not run.</summary>
    public bool IsBehind { get; private set; }

    // From PostgreSQL 19 the server waits itself: https://www.postgresql.org/docs/devel/sql-wait-for.html. The statement takes no parameters.
    internal static string WaitFor(WalPosition position, TimeSpan time) =>
        FormattableString.Invariant($"WAIT FOR LSN '{position}' WITH (TIMEOUT '{Math.Max(1, (long)time.TotalMilliseconds)}ms', NO_THROW);\n");

    /// <inheritdoc />
    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior)
    {
        RequireGuard();
        DbDataReader? reader = null;
        var isGuarded = true;
        try
        {
            reader = base.ExecuteDbDataReader(behavior);
            for (var statement = 1; statement < _statementsBefore; statement++)
            {
                reader.NextResult();
            }

            isGuarded = false;
            reader.NextResult();
            return reader;
        }
        catch (PostgresException exception) when (isGuarded && exception.SqlState == PostgresErrorCodes.DivisionByZero)
        {
            reader?.Dispose();
            return Behind();
        }
        catch
        {
            reader?.Dispose();
            throw;
        }
    }

    /// <inheritdoc />
    protected override async Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken)
    {
        RequireGuard();
        DbDataReader? reader = null;
        var isGuarded = true;
        try
        {
            reader = await base.ExecuteDbDataReaderAsync(behavior, cancellationToken).ConfigureAwait(false);
            for (var statement = 1; statement < _statementsBefore; statement++)
            {
                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
            }

            isGuarded = false;
            await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
            return reader;
        }
        catch (PostgresException exception) when (isGuarded && exception.SqlState == PostgresErrorCodes.DivisionByZero)
        {
            await CloseAsync(reader).ConfigureAwait(false);
            return Behind();
        }
        catch
        {
            await CloseAsync(reader).ConfigureAwait(false);
            throw;
        }
    }

    // An interceptor of the application may have written its own query over the guard; the primary answers that one as it is.
    private void RequireGuard()
    {
        if (!CommandText.Contains(Guard, StringComparison.Ordinal))
        {
            throw new NodeRejectedException(Connection!.DataSource, Freshness.BehindCaller);
        }
    }

    private static ValueTask CloseAsync(DbDataReader? reader) => reader?.DisposeAsync() ?? ValueTask.CompletedTask;

    // An empty result instead of the error: EF would log that as the failure of a command, while all that happened is that another node is asked.
    private DataTableReader Behind()
    {
        IsBehind = true;
        using var table = new DataTable { Locale = System.Globalization.CultureInfo.InvariantCulture };
        for (var column = 0; column < _columns; column++)
        {
            table.Columns.Add();
        }

        return table.CreateDataReader();
    }
}
