using EfScaling.Testing.Postgres;
using EfScaling.Testing.Processes;

namespace EfScaling.Testing;

/// <content>Start, stop, crash and hang.</content>
public sealed partial class PostgresServer
{
    private const int PortAttempts = 5;

    /// <summary>Starts the server on its port and completes when it accepts connections. Does nothing when it runs.</summary>
    /// <param name="cancellationToken">Ends the wait; the server then stays in the state that it has reached.</param>
    /// <exception cref="ServerStartException">The server ended; the exception holds its log.</exception>
    /// <exception cref="TimeoutException">It did not accept connections within 30 seconds.</exception>
    /// <exception cref="ObjectDisposedException">The cluster is disposed.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        using var held = await _lifecycle.LockAsync(cancellationToken).ConfigureAwait(false);
        await StartUnlockedAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Shuts the server down in order ("fast"): sessions are ended, open transactions rolled back, data written. Does nothing when it does not run.</summary>
    /// <param name="cancellationToken">Ends the wait, not the shutdown.</param>
    /// <remarks>
    /// A suspended server is continued first. A primary ends only after its connected standbys have received everything: with a suspended standby
    /// that lasts until <c>wal_sender_timeout</c>. The port stays reserved for the next <see cref="StartAsync"/>.
    /// </remarks>
    /// <exception cref="TimeoutException">The server still runs after 30 seconds.</exception>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        using var held = await _lifecycle.LockAsync(cancellationToken).ConfigureAwait(false);
        await _process.EndAsync(UnixSignal.Interrupt, Patience, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Crashes the server: its processes are killed without warning, and clients see reset connections. Does nothing when it does not run.</summary>
    /// <remarks>The next <see cref="StartAsync"/> recovers from the write-ahead log, as after a real crash. Works on a suspended server.</remarks>
    public Task KillAsync() => _process.KillAsync();

    /// <summary>Stops the server in order and starts it again on the same port.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ServerStartException">The server ended while starting.</exception>
    /// <exception cref="TimeoutException">It did not end, or did not accept connections, within 30 seconds each.</exception>
    public async Task RestartAsync(CancellationToken cancellationToken = default)
    {
        await StopAsync(cancellationToken).ConfigureAwait(false);
        await StartAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Restarts the server with a wall clock that is wrong by an offset; zero sets it right.</summary>
    /// <param name="offset">What the server's clock is ahead by; negative when it is behind.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <remarks>Needs libfaketime (package <c>faketime</c> of Debian and Ubuntu). Only <c>now()</c> and its like are wrong; timeouts are not.</remarks>
    /// <exception cref="ServerBinaryNotFoundException">libfaketime is not installed.</exception>
    public async Task SetClockOffsetAsync(TimeSpan offset, CancellationToken cancellationToken = default)
    {
        _process.Environment = offset == TimeSpan.Zero ? new Dictionary<string, string>() : new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = ServerBinaries.FakeTimeLibrary(),
            ["FAKETIME"] = FormattableString.Invariant($"{offset.TotalSeconds:+0;-0}s"),
            ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",

            // It would share the time among processes through a file that it leaves behind.
            ["FAKETIME_DISABLE_SHM"] = "1",
        };
        await RestartAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Freezes all processes of the server: connections stay open and new ones are accepted by the system, but nothing answers.</summary>
    /// <exception cref="InvalidOperationException">The server does not run.</exception>
    public Task SuspendAsync() => _process.SuspendAsync();

    /// <summary>Lets a suspended server go on where it was. Does nothing to one that is not suspended.</summary>
    /// <exception cref="InvalidOperationException">The server does not run.</exception>
    public Task ContinueAsync() => _process.ContinueAsync();

    /// <summary>Ends the server quickly, whatever state it is in, and gives its port back.</summary>
    internal async Task EndAsync()
    {
        _ended = true;
        try
        {
            // "Immediate" shutdown: no checkpoint, but the server releases its shared memory, which a killed one cannot.
            await _process.EndAsync(UnixSignal.Quit, TimeSpan.FromSeconds(6), CancellationToken.None).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            await _process.KillAsync().ConfigureAwait(false);
        }

        SharedMemory.Release(PidFile);
        _port.Dispose();
    }

    private string PidFile => Path.Combine(DataFolder, "postmaster.pid");

    private async Task StartUnlockedAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        if (IsRunning)
        {
            return;
        }

        for (var attempt = 1; ; attempt++)
        {
            if (!_wasStarted)
            {
                await _configuration.WriteAsync(DataFolder, Name, Port, _upstream?.Port, cancellationToken).ConfigureAwait(false);
            }

            _process.Start(_tools.Server, ["-D", DataFolder]);
            try
            {
                await WaitUntilReadyAsync(cancellationToken).ConfigureAwait(false);
                _wasStarted = true;
                return;
            }
            catch (ServerStartException clash) when (!_wasStarted && attempt < PortAttempts && clash.Log.Contains("in use", StringComparison.Ordinal))
            {
                // A program that knows nothing of the leases took the port; nobody has seen the number yet.
                _port.Dispose();
                _port = PortLease.Take();
            }
        }
    }

    // The server writes its state into the eighth line (src/include/utils/pidfile.h); pg_ctl waits for it in the same way.
    private Task WaitUntilReadyAsync(CancellationToken cancellationToken) =>
        Eventually.ThatAsync(
            () =>
            {
                var isRunning = IsRunning;
                var lines = File.Exists(PidFile) ? File.ReadAllLines(PidFile) : [];
                if (lines.Length >= 8 && lines[0] == $"{ProcessId}" && lines[7].Trim() == "ready")
                {
                    return true;
                }

                return isRunning ? false : throw new ServerStartException($"Server '{Name}' ended while starting.", _process.LogTail());
            },
            Patience,
            $"server '{Name}' to accept connections",
            cancellationToken);
}
