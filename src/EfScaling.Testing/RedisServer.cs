using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using EfScaling.Testing.Processes;
using EfScaling.Testing.Redis;

namespace EfScaling.Testing;

/// <summary>A real Redis server in a temporary folder and on a free port of 127.0.0.1, and the ways to make it fail.</summary>
/// <remarks>
/// Thread-safe. Start and stop wait for each other; kill, suspend and continue act at once. Disposing it ends the server and removes its folder;
/// when this process dies without disposing, a watchdog does so, and the next start of any test server looks again.
/// </remarks>
public sealed class RedisServer : IAsyncDisposable
{
    private const int PortAttempts = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PingPatience = TimeSpan.FromSeconds(1);

    private readonly AsyncLock _lifecycle = new();
    private readonly ServerFolder _folder;
    private readonly ServerProcess _process;
    private readonly RedisConfiguration _configuration;
    private readonly bool _ownsFolder;
    private PortLease _port = PortLease.Take();
    private string? _configurationFile;
    private bool _wasStarted;
    private bool _disposed;

    /// <summary>Describes a server that is not started yet.</summary>
    /// <param name="folder">Folder of one or more servers.</param>
    /// <param name="configuration">Its settings; their name is unique in the folder.</param>
    /// <param name="ownsFolder">Whether the folder goes with this server.</param>
    internal RedisServer(ServerFolder folder, RedisConfiguration configuration, bool ownsFolder)
    {
        _folder = folder;
        _configuration = configuration;
        _ownsFolder = ownsFolder;
        _process = new ServerProcess(folder, configuration.Name, user: null);
        CertificateAuthority = configuration.Login.Authority?.Certificate();
    }

    /// <summary>Address that the server listens on: always <c>127.0.0.1</c>.</summary>
    public string Host { get; } = "127.0.0.1";

    /// <summary>TCP port, the same for the whole life of the server, also while it is stopped.</summary>
    public int Port => _port.Port;

    /// <summary><c>host:port</c>, as Redis clients take it. Does not contain the password.</summary>
    public string Endpoint => string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");

    /// <summary>Password that clients must give; <see langword="null"/> when the server asks for none.</summary>
    public string? Password => _configuration.Password;

    /// <summary>Certificate that clients must trust; <see langword="null"/> when the server does not speak TLS.</summary>
    /// <remarks>
    /// Each server has an authority of its own, except that a replica, and all members of a <see cref="RedisSentinelCluster"/>, share one. Without its key;
    /// valid for 30 days. Disposed with the server.
    /// </remarks>
    public X509Certificate2? CertificateAuthority { get; }

    /// <summary>Whether the server's process exists. A suspended server, and one that is still starting, runs too.</summary>
    public bool IsRunning => _process.IsRunning;

    internal RedisLogin Login => _configuration.Login;

    internal CertificateAuthority? Authority => _configuration.Authority;

    /// <summary>Starts a new server and completes when it answers.</summary>
    /// <param name="options">How to start it; <see langword="null"/> means without password and without files.</param>
    /// <param name="cancellationToken">Gives up and removes what was started.</param>
    /// <returns>The running server. The caller disposes it.</returns>
    /// <exception cref="ServerBinaryNotFoundException">Redis is not installed; the message tells what to install.</exception>
    /// <exception cref="ServerStartException">The server ended, for example because of a wrong argument; the exception holds its log.</exception>
    /// <exception cref="TimeoutException">It did not answer within 30 seconds.</exception>
    /// <exception cref="PlatformNotSupportedException">The system is neither Linux nor macOS.</exception>
    public static async Task<RedisServer> StartAsync(RedisServerOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new RedisServerOptions();
        ServerBinaries.RedisServer();
        var folder = await ServerFolder.CreateAsync(cancellationToken).ConfigureAwait(false);
        var server = new RedisServer(folder, new RedisConfiguration("redis", options, AuthorityOf(options)), ownsFolder: true);
        try
        {
            await server.StartAsync(cancellationToken).ConfigureAwait(false);
            return server;
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Starts a stopped or killed server on its port and completes when it answers. Does nothing when it runs.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ServerStartException">The server ended; the exception holds its log.</exception>
    /// <exception cref="TimeoutException">It did not answer within 30 seconds.</exception>
    /// <exception cref="ObjectDisposedException">The server is disposed.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        using var held = await _lifecycle.LockAsync(cancellationToken).ConfigureAwait(false);
        ObjectDisposedException.ThrowIf(_disposed, this);
        await StartUnlockedAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Shuts the server down in order. Does nothing when it does not run. A suspended server is continued first.</summary>
    /// <param name="cancellationToken">Ends the wait, not the shutdown.</param>
    /// <exception cref="TimeoutException">The server still runs after 30 seconds.</exception>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        using var held = await _lifecycle.LockAsync(cancellationToken).ConfigureAwait(false);
        await _process.EndAsync(UnixSignal.Terminate, Patience, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Crashes the server: its process is killed without warning. Does nothing when it does not run. Works on a suspended server.</summary>
    public Task KillAsync() => _process.KillAsync();

    /// <summary>Freezes the server: connections stay open and new ones are accepted by the system, but nothing answers.</summary>
    /// <exception cref="InvalidOperationException">The server does not run.</exception>
    public Task SuspendAsync() => _process.SuspendAsync();

    /// <summary>Lets a suspended server go on where it was. Does nothing to one that is not suspended.</summary>
    /// <exception cref="InvalidOperationException">The server does not run.</exception>
    public Task ContinueAsync() => _process.ContinueAsync();

    /// <summary>Sends one command over a connection of its own, such as <c>FLUSHALL</c> or <c>CONFIG SET maxmemory 1mb</c>, with all rights.</summary>
    /// <param name="command">The command and its arguments, each a text of its own: <c>"CONFIG", "SET", "maxmemory", "1mb"</c>.</param>
    /// <returns>
    /// The reply as text: numbers in decimal, the elements of an array on lines of their own. <see langword="null"/> when the value is missing.
    /// </returns>
    /// <remarks>
    /// Waits for the reply as long as the server takes; a suspended one never replies. When the server has <see cref="RedisServerOptions.Users"/>, the command
    /// runs as a user that this package adds, else as the user <c>default</c>.
    /// </remarks>
    /// <exception cref="ArgumentException"><paramref name="command"/> is empty.</exception>
    /// <exception cref="InvalidOperationException">The server refused the command; the message says why.</exception>
    /// <exception cref="SocketException">The server does not run.</exception>
    /// <exception cref="IOException">The server closed the connection before it replied.</exception>
    public Task<string?> ExecuteAsync(params string[] command) => ExecuteAsync(command, CancellationToken.None);

    /// <summary>Sends one command over a connection of its own, with all rights, and gives up when told.</summary>
    /// <param name="command">The command and its arguments.</param>
    /// <param name="cancellationToken">Ends the wait; the server may run the command all the same.</param>
    /// <inheritdoc cref="ExecuteAsync(string[])"/>
    public async Task<string?> ExecuteAsync(IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(command);
        if (command.Count == 0)
        {
            throw new ArgumentException("A command needs a name: pass one such as 'PING'.", nameof(command));
        }

        var connection = await RedisConnection.OpenAsync(Port, Login, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var reply = await connection.ExecuteAsync(command, cancellationToken).ConfigureAwait(false);
            return reply.IsError
                ? throw new InvalidOperationException($"Redis at '{Endpoint}' refused '{command[0]}': {reply.Text}")
                : reply.Text;
        }
    }

    /// <summary>Ends the server at once and removes its folder. Does nothing the second time.</summary>
    public async ValueTask DisposeAsync()
    {
        using var held = await _lifecycle.LockAsync().ConfigureAwait(false);
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        await _process.KillAsync().ConfigureAwait(false);
        _port.Dispose();
        CertificateAuthority?.Dispose();
        if (_ownsFolder)
        {
            await _folder.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Sends one command and returns <see langword="null"/> when the server cannot be reached, refuses, or takes longer than <paramref name="patience"/>.</summary>
    internal async Task<string?> TryExecuteAsync(IReadOnlyList<string> command, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        end.CancelAfter(patience);
        try
        {
            return await ExecuteAsync(command, end.Token).ConfigureAwait(false);
        }
        catch (Exception silent) when (silent is SocketException or IOException or InvalidOperationException)
        {
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    // A replica has certificates also to follow a server that speaks TLS while it does not.
    private static CertificateAuthority? AuthorityOf(RedisServerOptions options) =>
        options.ReplicaOf?.Authority ?? (options.Tls ? new CertificateAuthority() : null);

    private async Task StartUnlockedAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 1; !IsRunning; attempt++)
        {
            // Written once: a sentinel, and a server that one turned into a master or a replica, has changed the file since.
            _configurationFile ??= await _configuration.WriteAsync(_folder, Port, cancellationToken).ConfigureAwait(false);
            _process.Start(ServerBinaries.RedisServer(), [_configurationFile, .. _configuration.Arguments]);
            try
            {
                await WaitUntilReadyAsync(cancellationToken).ConfigureAwait(false);
                _wasStarted = true;
            }
            catch (ServerStartException clash) when (!_wasStarted && attempt < PortAttempts && clash.Log.Contains("in use", StringComparison.Ordinal))
            {
                // A program that knows nothing of the leases took the port; nobody has seen the number yet.
                _port.Dispose();
                _port = PortLease.Take();
                _configurationFile = null;
            }
        }
    }

    private Task WaitUntilReadyAsync(CancellationToken cancellationToken) =>
        Eventually.ThatAsync(
            async () =>
            {
                var isRunning = IsRunning;
                if (isRunning && await AnswersAsync(cancellationToken).ConfigureAwait(false))
                {
                    return true;
                }

                return isRunning ? false : throw new ServerStartException("The Redis server ended while starting.", _process.LogTail());
            },
            Patience,
            "the Redis server to answer",
            cancellationToken);

    // Refused while it still loads its data.
    private async Task<bool> AnswersAsync(CancellationToken cancellationToken) =>
        await TryExecuteAsync(["PING"], PingPatience, cancellationToken).ConfigureAwait(false) is not null;
}
