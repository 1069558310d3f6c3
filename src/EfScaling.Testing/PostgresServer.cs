using System.Globalization;
using EfScaling.Testing.Postgres;
using EfScaling.Testing.Processes;
using Npgsql;

namespace EfScaling.Testing;

/// <summary>One running or stopped PostgreSQL server of a <see cref="PostgresCluster"/>, and the ways to make it fail.</summary>
/// <remarks>
/// Thread-safe. Start, stop and restart wait for each other; kill, suspend and continue act at once. Every SQL helper opens a connection of its own,
/// outside any pool, and closes it. Disposing the cluster ends the server.
/// </remarks>
#pragma warning disable CA1001 // The cluster ends the server, and with it gives the port back.
public sealed partial class PostgresServer
#pragma warning restore CA1001
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly AsyncLock _lifecycle = new();
    private readonly PostgresTools _tools;
    private readonly PostgresConfiguration _configuration;
    private readonly ServerProcess _process;
    private readonly string _database;
    private readonly PostgresServer? _upstream;
    private PortLease _port = PortLease.Take();
    private bool _wasStarted;
    private volatile bool _ended;

    internal PostgresServer(
        ServerFolder folder, PostgresTools tools, PostgresConfiguration configuration, string name, string database, PostgresServer? upstream)
    {
        _tools = tools;
        _configuration = configuration;
        _database = database;
        _upstream = upstream;
        _process = new ServerProcess(folder, name, ServerUser.Name);
        Name = name;
        DataFolder = folder.Combine(name);
    }

    /// <summary><c>primary</c>, <c>standby1</c>, <c>standby2</c> and so on: also the server's <c>cluster_name</c> and, as a standby, its <c>application_name</c>.</summary>
    public string Name { get; }

    /// <summary>Address that the server listens on: always <c>127.0.0.1</c>.</summary>
    public string Host { get; } = "127.0.0.1";

    /// <summary>TCP port, the same for the whole life of the server, also while it is stopped.</summary>
    public int Port => _port.Port;

    /// <summary>Npgsql connection string of the superuser for <see cref="PostgresClusterOptions.Database"/>.</summary>
    /// <remarks>Contains the random password of the cluster.</remarks>
    public string ConnectionString => GetConnectionString(_database);

    /// <summary>Whether the server's main process exists. A suspended server, and one that is still starting, runs too.</summary>
    public bool IsRunning => _process.IsRunning;

    internal string DataFolder { get; }

    /// <summary>Whether the server will be, or is, in recovery; known without asking it, so for a suspended one too.</summary>
    internal bool IsStandby => File.Exists(Path.Combine(DataFolder, PostgresConfiguration.StandbySignal));

    internal int ProcessId => _process.Id;

    /// <summary>Npgsql connection string of the superuser for another database of this server.</summary>
    /// <param name="database">Name of the database; it need not exist yet.</param>
    public string GetConnectionString(string database)
    {
        ArgumentException.ThrowIfNullOrEmpty(database);

        return new NpgsqlConnectionStringBuilder
        {
            Host = Host,
            Port = Port,
            Username = PostgresConfiguration.Superuser,
            Password = _configuration.Password,
            Database = database,

            // The server offers neither. "Prefer", the default, would open a second time after a hang or a cancelled attempt.
            SslMode = SslMode.Disable,
            GssEncryptionMode = GssEncryptionMode.Disable,
        }.ConnectionString;
    }

    /// <summary>Returns what identifies the server; never the password.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Name} ({Host}:{Port})");
}
