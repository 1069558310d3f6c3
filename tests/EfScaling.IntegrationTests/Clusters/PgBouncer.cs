using System.Net.Sockets;
using EfScaling.Testing;
using EfScaling.Testing.Processes;
using Npgsql;

namespace EfScaling.IntegrationTests.Clusters;

/// <summary>A real PgBouncer in transaction mode in front of one server.</summary>
public sealed class PgBouncer : IAsyncDisposable
{
    private readonly ServerFolder _folder;
    private readonly ServerProcess _process;
    private readonly PortLease _port;

    private PgBouncer(ServerFolder folder, PortLease port) => (_folder, _port, _process) = (folder, port, new ServerProcess(folder, "pgbouncer", ServerUser.Name));

    public int Port => _port.Port;

    /// <param name="server">The server behind it.</param>
    /// <param name="ignoresOptions">Whether it swallows settings of a session in silence, instead of refusing them.</param>
    public static async Task<PgBouncer> StartAsync(PostgresServer server, bool ignoresOptions)
    {
        var login = new NpgsqlConnectionStringBuilder(server.ConnectionString);
        var bouncer = new PgBouncer(await ServerFolder.CreateAsync(CancellationToken.None), PortLease.Take());
        var users = bouncer._folder.Combine("users.txt");
        await File.WriteAllTextAsync(users, $"\"{login.Username}\" \"{login.Password}\"\n");
        var configuration = bouncer._folder.Combine("pgbouncer.ini");
        await File.WriteAllTextAsync(
            configuration,
            $"""
            [databases]
            * = host=127.0.0.1 port={server.Port} user={login.Username} password={login.Password}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {bouncer.Port}
            unix_socket_dir =
            auth_type = scram-sha-256
            auth_file = {users}
            pool_mode = transaction
            default_pool_size = 5
            max_client_conn = 200
            ignore_startup_parameters = {(ignoresOptions ? "extra_float_digits,options" : "extra_float_digits")}

            """);
        await ServerUser.OwnAsync(bouncer._folder.Path);
        bouncer._process.Start(Program(), [configuration]);
        await Eventually.ThatAsync(bouncer.ListensAsync, TimeSpan.FromSeconds(20), "PgBouncer listens");
        return bouncer;
    }

    /// <summary>A connection string for a server, by way of this pooler.</summary>
    public string ConnectionStringOf(PostgresServer server) => ReplicaReads.At(server, Port) + ";No Reset On Close=true";

    public async ValueTask DisposeAsync()
    {
        await _process.KillAsync();
        _port.Dispose();
        await _folder.DisposeAsync();
    }

    private static string Program() =>
        new[] { "/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer" }.FirstOrDefault(File.Exists)
        ?? throw new InvalidOperationException("Looked for 'pgbouncer' in the usual folders: install the package 'pgbouncer'.");

    private async Task<bool> ListensAsync()
    {
        Assert.True(_process.IsRunning, $"PgBouncer ended: {_process.LogTail()}");
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
