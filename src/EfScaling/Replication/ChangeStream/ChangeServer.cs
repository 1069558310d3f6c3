using Npgsql;

namespace EfScaling.Replication.ChangeStream;

/// <summary>The server whose changes are read: finds the primary among the hosts, checks that it is set up, and names tables.</summary>
/// <remarks>Thread-safe after <see cref="OpenAsync"/>; each question takes a connection from a pool of its own.</remarks>
internal sealed class ChangeServer : IAsyncDisposable
{
    // RDS has a role instead of the attribute of roles (docs.aws.amazon.com, "Performing logical replication for RDS for PostgreSQL").
    private const string Setup =
        """
        SELECT current_setting('wal_level') AS level,
               pg_is_in_recovery(),
               current_user::text,
               r.rolreplication OR r.rolsuper
                   OR EXISTS (SELECT FROM pg_roles AS m WHERE m.rolname = 'rds_replication' AND pg_has_role(r.oid, m.oid, 'MEMBER'))
        FROM pg_roles AS r
        WHERE r.rolname = current_user
        """;

    private const string Ancestors =
        """
        WITH RECURSIVE up AS (
            SELECT inhparent AS id FROM pg_inherits WHERE inhrelid = $1
            UNION
            SELECT i.inhparent FROM pg_inherits AS i JOIN up ON i.inhrelid = up.id)
        SELECT n.nspname::text, c.relname::text
        FROM up JOIN pg_class AS c ON c.oid = up.id JOIN pg_namespace AS n ON n.oid = c.relnamespace
        """;

    private ChangeServer(string connectionString, string node)
    {
        ConnectionString = connectionString;
        Node = node;
        DataSource = NpgsqlDataSource.Create(connectionString);
    }

    /// <summary>Gets the connection string of this one server.</summary>
    public string ConnectionString { get; }

    /// <summary>Gets <c>host:port</c>, for logs.</summary>
    public string Node { get; }

    /// <summary>Gets where connections for questions come from.</summary>
    public NpgsqlDataSource DataSource { get; }

    /// <summary>Connects to the primary among the hosts of a connection string, and checks that its changes can be read.</summary>
    /// <exception cref="ChangeStreamRefusedException">A setting or a right is missing.</exception>
    /// <exception cref="NpgsqlException">No host can be reached, or none is a primary.</exception>
    public static async Task<ChangeServer> OpenAsync(string connectionString, CancellationToken cancellationToken)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        if (settings.Host?.Contains(',', StringComparison.Ordinal) == true)
        {
            // A replication connection does not look for the right host by itself.
            var hosts = new NpgsqlDataSourceBuilder(connectionString).BuildMultiHost();
            await using (hosts.ConfigureAwait(false))
            {
                var found = await hosts.OpenConnectionAsync(TargetSessionAttributes.Primary, cancellationToken).ConfigureAwait(false);
                await using (found.ConfigureAwait(false))
                {
                    (settings.Host, settings.Port) = (found.Host, found.Port);
                }
            }
        }

        settings.TargetSessionAttributes = null;
        settings.Enlist = false;
        settings.Multiplexing = false;
        settings.MaxPoolSize = 4;
        settings.MinPoolSize = 0;
        var server = new ChangeServer(settings.ConnectionString, FormattableString.Invariant($"{settings.Host}:{settings.Port}"));
        try
        {
            await server.CheckAsync(cancellationToken).ConfigureAwait(false);
            return server;
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Returns the tables that a table is a partition or an heir of, however far up; what is dropped meanwhile has none.</summary>
    public async Task<IReadOnlyList<ChangedTable>> AncestorsAsync(uint relation, CancellationToken cancellationToken)
    {
        var command = DataSource.CreateCommand(Ancestors);
        await using (command.ConfigureAwait(false))
        {
            command.Parameters.Add(new NpgsqlParameter<uint> { TypedValue = relation, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Oid });
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                var ancestors = new List<ChangedTable>();
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    ancestors.Add(new ChangedTable(reader.GetString(0), reader.GetString(1)));
                }

                return ancestors;
            }
        }
    }

    /// <inheritdoc />
    public ValueTask DisposeAsync() => DataSource.DisposeAsync();

    private async Task CheckAsync(CancellationToken cancellationToken)
    {
        var command = DataSource.CreateCommand(Setup);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                var level = reader.GetString(0);
                if (reader.GetBoolean(1))
                {
                    // Until a failover is over; that ends by itself.
                    throw new NpgsqlException($"Reading changes from '{Node}' failed: it is a standby, and only the primary's changes are read.");
                }

                if (level != "logical")
                {
                    throw new ChangeStreamRefusedException(
                        $"Reading changes from '{Node}' needs the setting wal_level = 'logical', which is '{level}': "
                        + "run ALTER SYSTEM SET wal_level = 'logical' and restart the server.");
                }

                if (!reader.GetBoolean(3))
                {
                    var role = reader.GetString(2);
                    throw new ChangeStreamRefusedException($"Reading changes from '{Node}' needs the right to replicate, which the role '{role}' lacks: run ALTER ROLE \"{role}\" REPLICATION.");
                }
            }
        }
    }
}
