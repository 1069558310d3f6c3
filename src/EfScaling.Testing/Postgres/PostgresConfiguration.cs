using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EfScaling.Testing.Processes;

namespace EfScaling.Testing.Postgres;

/// <summary>Writes the configuration files of the servers of one cluster.</summary>
internal sealed class PostgresConfiguration(PostgresClusterOptions options, string socketFolder)
{
    public const string Superuser = "postgres";

    /// <summary>Empty file that makes a server a standby; promotion removes it.</summary>
    public const string StandbySignal = "standby.signal";

    // A socket's whole path has at most 103 bytes on macOS and 107 on Linux, and ends in "/.s.PGSQL.65535.lock".
    private const int MaxSocketFolder = 82;

    // Who may connect: only from this machine, with the cluster's password.
    private const string Access =
        """
        local all all scram-sha-256
        host all all 127.0.0.1/32 scram-sha-256
        host replication all 127.0.0.1/32 scram-sha-256

        """;

    public string Password { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));

    /// <summary>Writes the files of one server.</summary>
    /// <param name="data">Its data folder.</param>
    /// <param name="name">Its name, which is also its <c>cluster_name</c>.</param>
    /// <param name="port">Port to listen on.</param>
    /// <param name="upstreamPort">Port of the server to follow; <see langword="null"/> for a primary.</param>
    public async Task WriteAsync(string data, string name, int port, int? upstreamPort, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        foreach (var (setting, value) in Defaults())
        {
            Append(text, setting, value);
        }

        foreach (var (setting, value) in options.Settings)
        {
            Append(text, setting, value);
        }

        Append(text, "listen_addresses", "127.0.0.1");
        Append(text, "port", port.ToString(CultureInfo.InvariantCulture));
        Append(text, "unix_socket_directories", socketFolder.Length <= MaxSocketFolder ? socketFolder : "");
        Append(text, "cluster_name", name);
        if (upstreamPort is { } upstream)
        {
            Append(text, "primary_conninfo", Upstream(name, upstream));
        }

        await File.WriteAllTextAsync(Path.Combine(data, "postgresql.conf"), text.ToString(), cancellationToken).ConfigureAwait(false);
        await File.WriteAllTextAsync(Path.Combine(data, "pg_hba.conf"), Access, cancellationToken).ConfigureAwait(false);
        if (upstreamPort is not null)
        {
            // The two others exist and keep their owner.
            var signal = Path.Combine(data, StandbySignal);
            await File.WriteAllTextAsync(signal, "", cancellationToken).ConfigureAwait(false);
            await ServerUser.OwnAsync(signal, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Connection string of libpq with which a standby follows another server.</summary>
    public string Upstream(string name, int port) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"host=127.0.0.1 port={port} user={Superuser} password={Password} application_name={name} connect_timeout=5");

    private IEnumerable<(string Setting, string Value)> Defaults()
    {
        var durable = options.Durable ? "on" : "off";
        return
        [
            ("fsync", durable),
            ("full_page_writes", durable),
            ("wal_level", "replica"),
            ("hot_standby", "on"),
            ("max_connections", "200"),
            ("max_prepared_transactions", "50"),
            ("max_wal_senders", "20"),
            ("max_replication_slots", "20"),
            ("wal_keep_size", "512MB"),
            ("wal_receiver_status_interval", "1s"),
            ("wal_retrieve_retry_interval", "100ms"),
            ("shared_buffers", "32MB"),
            // With the default, POSIX, a killed server leaves files outside its folder.
            ("dynamic_shared_memory_type", "mmap"),
            ("logging_collector", "off"),
            ("log_line_prefix", "%m [%p] %a "),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
        ];
    }

    private static void Append(StringBuilder text, string setting, string value) =>
        text.Append(CultureInfo.InvariantCulture, $"{setting} = '{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal)}'\n");
}
