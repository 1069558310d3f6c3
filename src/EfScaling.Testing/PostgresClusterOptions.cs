using System.Text;
using EfScaling.Testing.Postgres;

namespace EfScaling.Testing;

/// <summary>What a <see cref="PostgresCluster"/> consists of. Immutable; a value out of range is refused where it is set.</summary>
public sealed record PostgresClusterOptions
{
    /// <summary>Most standbys that a cluster may start with.</summary>
    public const int MaxStandbys = 16;

    private const int MaxNameBytes = 63;

    private readonly int _standbys = 2;
    private readonly string _database = "app";
    private readonly IReadOnlyDictionary<string, string> _settings = new Dictionary<string, string>();

    /// <summary>Number of streaming standbys, from 0 to <see cref="MaxStandbys"/>. Default 2.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public int Standbys
    {
        get => _standbys;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, MaxStandbys);
            _standbys = value;
        }
    }

    /// <summary>Database that is created and that connection strings name, 1 to 63 bytes long. Default <c>app</c>.</summary>
    /// <remarks><c>postgres</c> uses the database that always exists. The encoding is UTF-8 and text sorts by code point (locale C).</remarks>
    /// <exception cref="ArgumentException">The name is empty, too long or spans lines.</exception>
    public string Database
    {
        get => _database;
        init
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(value);
            if (Encoding.UTF8.GetByteCount(value) > MaxNameBytes || value.AsSpan().ContainsAny('\n', '\r', '\0'))
            {
                throw new ArgumentException($"'{value}' cannot name a database: use one line of at most {MaxNameBytes} bytes.", nameof(value));
            }

            _database = value;
        }
    }

    /// <summary>Settings for the <c>postgresql.conf</c> of every server, by name; they win over the defaults of this package. Empty by default.</summary>
    /// <remarks>
    /// Values are written as they would stand between quotes, such as <c>"100ms"</c> or <c>"remote_apply"</c>. Standbys are known to
    /// <c>synchronous_standby_names</c> by <see cref="PostgresServer.Name"/>: <c>standby1</c>, <c>standby2</c>. Defaults differ from PostgreSQL's in
    /// <c>max_connections = 200</c>, <c>max_prepared_transactions = 50</c>, <c>max_wal_senders = 20</c>, <c>max_replication_slots = 20</c>,
    /// <c>shared_buffers = 32MB</c>, <c>wal_keep_size = 512MB</c>, <c>wal_receiver_status_interval = 1s</c>,
    /// <c>wal_retrieve_retry_interval = 100ms</c> and <c>timezone = UTC</c>.
    /// </remarks>
    /// <exception cref="ArgumentException">A name is no setting's name, or belongs to the settings that the cluster gives each server, such as <c>port</c>.</exception>
    public IReadOnlyDictionary<string, string> Settings
    {
        get => _settings;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            SettingNames.Check(value);
            _settings = new Dictionary<string, string>(value);
        }
    }

    /// <summary>Whether servers write through to the disk (<c>fsync</c> and <c>full_page_writes</c>). Default <see langword="false"/>.</summary>
    /// <remarks>
    /// Without it a power failure of the machine may damage the data; <see cref="PostgresServer.KillAsync"/> does not, because the system keeps
    /// what a killed process has written.
    /// </remarks>
    public bool Durable { get; init; }
}
