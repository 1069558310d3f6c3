using EfScaling.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace EfScaling.Replication.ChangeStream;

/// <summary>The publication of all tables, without which the server's decoder reports nothing.</summary>
internal sealed class ChangePublication(ChangeServer server, ChangeStreamOptions options, ILogger logger)
{
    private const string Existing = "SELECT puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate, pubviaroot FROM pg_publication WHERE pubname = $1";

    // Once published, a table refuses UPDATE and DELETE unless it has a replica identity (postgresql.org/docs/current/logical-replication-publication.html).
    private const string WithoutIdentity =
        """
        SELECT format('%I.%I', n.nspname, c.relname)
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384 AND n.nspname NOT IN ('information_schema', 'pg_catalog', 'pg_toast')
          AND (c.relreplident = 'n'
               OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary)
               OR c.relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisreplident))
        ORDER BY 1
        LIMIT 5
        """;

    /// <summary>Checks that the publication publishes every change, and creates it when there is none.</summary>
    /// <exception cref="ChangeStreamRefusedException">It does not, or cannot be created; the message has the SQL that mends it.</exception>
    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        if (!await ExistsAsync(cancellationToken).ConfigureAwait(false))
        {
            await CreateAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<bool> ExistsAsync(CancellationToken cancellationToken)
    {
        var command = server.DataSource.CreateCommand(Existing);
        await using (command.ConfigureAwait(false))
        {
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = options.Publication });
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    return false;
                }

                if (!reader.GetBoolean(0))
                {
                    throw Incomplete("some tables only", $"DROP PUBLICATION {options.Publication}; CREATE PUBLICATION {options.Publication} FOR ALL TABLES");
                }

                if (!reader.GetBoolean(1))
                {
                    throw Incomplete("some changes only", $"ALTER PUBLICATION {options.Publication} SET (publish = 'insert, update, delete, truncate')");
                }

                return reader.GetBoolean(2)
                    ? throw Incomplete("partitions under the name of their root only", $"ALTER PUBLICATION {options.Publication} SET (publish_via_partition_root = false)")
                    : true;
            }
        }
    }

    private async Task CreateAsync(CancellationToken cancellationToken)
    {
        var sql = $"CREATE PUBLICATION {options.Publication} FOR ALL TABLES";
        await CheckIdentitiesAsync(sql, cancellationToken).ConfigureAwait(false);
        try
        {
            await ExecuteAsync(sql, cancellationToken).ConfigureAwait(false);
            logger.ChangePublicationCreated(options.Publication, options.Slot);
        }
        catch (PostgresException refusal) when (refusal.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new ChangeStreamRefusedException(
                $"Creating the publication '{options.Publication}' on '{server.Node}' was refused ({NodeError.Describe(refusal)}): let a superuser run {sql}.", refusal);
        }
        catch (PostgresException raced) when (raced.SqlState is PostgresErrorCodes.DuplicateObject or PostgresErrorCodes.UniqueViolation)
        {
            // Another instance was faster; what it made is looked at as if it had been there before.
            await ExistsAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task CheckIdentitiesAsync(string sql, CancellationToken cancellationToken)
    {
        var tables = new List<string>();
        var command = server.DataSource.CreateCommand(WithoutIdentity);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    tables.Add(reader.GetString(0));
                }
            }
        }

        if (tables.Count > 0)
        {
            throw new ChangeStreamRefusedException(
                $"Creating the publication '{options.Publication}' on '{server.Node}' would make UPDATE and DELETE fail on tables without a primary key, such as "
                + $"'{string.Join("', '", tables)}': add primary keys, or run ALTER TABLE … REPLICA IDENTITY FULL for each. To publish them all the same, run {sql}.");
        }
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        // A definition takes no parameters; the name in it is a checked plain one.
        var command = server.DataSource.CreateCommand(sql);
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private ChangeStreamRefusedException Incomplete(string what, string mend) =>
        new($"Reading changes from '{server.Node}' needs a publication of every change, and '{options.Publication}' publishes {what}: run {mend}.");
}
