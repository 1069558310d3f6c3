using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Routing.Transactions;

/// <summary>The table <c>efscaling.saga</c> of the default shard, which has how far each saga is.</summary>
/// <remarks>Works on the connection of a context, within its transaction if there is one.</remarks>
internal static class SagaTable
{
    /// <summary>Makes the table where it is missing.</summary>
    public const string Create =
        """
        DO $$
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'efscaling' AND c.relname = 'saga') THEN
                CREATE TABLE efscaling.saga (
                    id uuid PRIMARY KEY,
                    name text NOT NULL,
                    data text,
                    step integer NOT NULL DEFAULT 0,
                    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'undoing', 'completed', 'undone')),
                    failure text,
                    begun_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
                    changed_at timestamp with time zone NOT NULL DEFAULT clock_timestamp());
                CREATE INDEX saga_unfinished ON efscaling.saga (name, changed_at) WHERE state IN ('running', 'undoing');
            END IF;
        END
        $$
        """;

    private const string Begin = "INSERT INTO efscaling.saga (id, name, data) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";

    private const string Read = "SELECT name, step, state, failure FROM efscaling.saga WHERE id = $1";

    private const string Move = "UPDATE efscaling.saga SET step = $2, state = $3, failure = coalesce($4, failure), changed_at = clock_timestamp() WHERE id = $1 AND step = $5 AND state = $6";

    private const string Unfinished =
        """
        SELECT id, data, step, state, failure FROM efscaling.saga
        WHERE name = $1 AND state IN ('running', 'undoing') AND changed_at <= clock_timestamp() - $2 ORDER BY changed_at
        """;

    /// <summary>Notes that a saga begins, unless it has.</summary>
    public static async Task BeginAsync(NpgsqlConnection connection, Guid id, string name, string? data, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(Begin, connection) { Parameters = { Parameter(id), Parameter(name), Text(data) } };
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads how far a saga is.</summary>
    public static async Task<(string Name, int Step, string State, string? Failure)> ReadAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(Read, connection) { Parameters = { Parameter(id) } };
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
                    ? (reader.GetString(0), reader.GetInt32(1), reader.GetString(2), reader.IsDBNull(3) ? null : reader.GetString(3))
                    : throw new InvalidOperationException($"The saga '{id}' was deleted while it ran. Begin it anew with another id.");
            }
        }
    }

    /// <summary>Moves a saga on.</summary>
    /// <returns><see langword="false"/> if it is not where it was taken to be: another process has moved it.</returns>
    public static async Task<bool> MoveAsync(
        NpgsqlConnection connection, Guid id, (int Step, string State) from, (int Step, string State) to, string? failure, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(Move, connection)
        {
            Parameters = { Parameter(id), Parameter(to.Step), Parameter(to.State), Text(failure), Parameter(from.Step), Parameter(from.State) },
        };
        await using (command.ConfigureAwait(false))
        {
            return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 1;
        }
    }

    /// <summary>Lists sagas that have not ended, the one that was moved on longest ago first.</summary>
    public static async Task<IReadOnlyList<UnfinishedSaga>> ListAsync(NpgsqlConnection connection, string name, TimeSpan age, CancellationToken cancellationToken)
    {
        var found = new List<UnfinishedSaga>();
        var command = new NpgsqlCommand(Unfinished, connection) { Parameters = { Parameter(name), Parameter(age) } };
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    found.Add(new UnfinishedSaga(
                        reader.GetGuid(0), reader.IsDBNull(1) ? null : reader.GetString(1), reader.GetInt32(2), reader.GetString(3) == "undoing", reader.IsDBNull(4) ? null : reader.GetString(4)));
                }
            }
        }

        return found;
    }

    private static NpgsqlParameter<T> Parameter<T>(T value) => new() { TypedValue = value };

    private static NpgsqlParameter Text(string? value) => new() { Value = value ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text };
}
