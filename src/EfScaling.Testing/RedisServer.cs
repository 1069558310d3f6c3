using System.Globalization;
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
    private const string Name = "redis";
    private const int PortAttempts = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly AsyncLock _lifecycle = new();
    private readonly ServerFolder _folder;
    private readonly ServerProcess _process;
    private readonly string _program;
    private readonly RedisServerOptions _options;
    private PortLease _port = PortLease.Take();
    private bool _wasStarted;
    private bool _disposed;

    private RedisServer(ServerFolder folder, string program, RedisServerOptions options)
    {
        _folder = folder;
        _program = program;
        _options = options;
        _process = new ServerProcess(folder, Name, user: null);
    }

    /// <summary>Address that the server listens on: always <c>127.0.0.1</c>.</summary>
    public string Host { get; } = "127.0.0.1";

    /// <summary>TCP port, the same for the whole life of the server, also while it is stopped.</summary>
    public int Port => _port.Port;

    /// <summary><c>host:port</c>, as Redis clients take it. Does not contain the password.</summary>
    public string Endpoint => string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");

    /// <summary>Password that clients must give; <see langword="null"/> when the server asks for none.</summary>
    public string? Password => _options.Password;

    /// <summary>Whether the server's process exists. A suspended server, and one that is still starting, runs too.</summary>
    public bool IsRunning => _process.IsRunning;

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
        var program = ServerBinaries.RedisServer();
        var folder = await ServerFolder.CreateAsync(cancellationToken).ConfigureAwait(false);
        var server = new RedisServer(folder, program, options ?? new RedisServerOptions());
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
        await _folder.DisposeAsync().ConfigureAwait(false);
    }

    private async Task StartUnlockedAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 1; !IsRunning; attempt++)
        {
            var configuration = await RedisConfiguration.WriteAsync(_folder, Port, Password, cancellationToken).ConfigureAwait(false);
            _process.Start(_program, [configuration, .. _options.Arguments]);
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
            }
        }
    }

    private Task WaitUntilReadyAsync(CancellationToken cancellationToken) =>
        Eventually.ThatAsync(
            async () =>
            {
                var isRunning = IsRunning;
                if (isRunning && await RedisPing.AnswersAsync(Port, Password, cancellationToken).ConfigureAwait(false))
                {
                    return true;
                }

                return isRunning ? false : throw new ServerStartException("The Redis server ended while starting.", _process.LogTail());
            },
            Patience,
            "the Redis server to answer",
            cancellationToken);
}
