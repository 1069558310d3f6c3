using Npgsql;

namespace EfScaling.Testing;

/// <content>SQL helpers.</content>
public sealed partial class PostgresServer
{
    /// <summary>Runs SQL as superuser in <see cref="PostgresClusterOptions.Database"/>, outside EF and outside any pool.</summary>
    /// <param name="sql">One or more statements. Several statements without <c>BEGIN</c> form one transaction.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    /// <returns>Rows changed; -1 when no statement changes rows.</returns>
    /// <exception cref="PostgresException">The server refused the SQL, for example a write on a standby (25006).</exception>
    /// <exception cref="NpgsqlException">The server cannot be reached, or did not answer in time: 15 seconds to connect, 30 to run.</exception>
    public async Task<int> ExecuteAsync(string sql, CancellationToken cancellationToken = default)
    {
        var connection = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            // The text is the caller's own test code.
            var command = new NpgsqlCommand(sql, connection);
            await using (command.ConfigureAwait(false))
            {
                return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Runs a query as superuser in <see cref="PostgresClusterOptions.Database"/> and returns the first column of its first row.</summary>
    /// <typeparam name="T">Type that Npgsql can read the column as, such as <see langword="long"/> for <c>count(*)</c>.</typeparam>
    /// <param name="sql">The query.</param>
    /// <param name="cancellationToken">Cancels the query.</param>
    /// <returns>The value; <see langword="default"/> when there is no row or the value is NULL.</returns>
    /// <exception cref="InvalidCastException">The column cannot be read as <typeparamref name="T"/>.</exception>
    /// <exception cref="PostgresException">The server refused the SQL.</exception>
    /// <exception cref="NpgsqlException">The server cannot be reached, or did not answer in time: 15 seconds to connect, 30 to run.</exception>
    public async Task<T?> ScalarAsync<T>(string sql, CancellationToken cancellationToken = default)
    {
        var connection = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var command = new NpgsqlCommand(sql, connection);
            await using (command.ConfigureAwait(false))
            {
                var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
                        && !await reader.IsDBNullAsync(0, cancellationToken).ConfigureAwait(false)
                        ? await reader.GetFieldValueAsync<T>(0, cancellationToken).ConfigureAwait(false)
                        : default;
                }
            }
        }
    }

    // No pool: it would keep sockets of servers that are killed on purpose. No enlisting: a caller's TransactionScope is not meant for us.
    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var settings = new NpgsqlConnectionStringBuilder(ConnectionString)
        {
            Pooling = false,
            Enlist = false,
            ApplicationName = "EfScaling.Testing",
        };
        var connection = new NpgsqlConnection(settings.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }
}
