using System.Collections.Immutable;
using EfScaling.Testing.Postgres;
using EfScaling.Testing.Processes;
using Npgsql;

namespace EfScaling.Testing;

/// <summary>A real PostgreSQL primary with streaming standbys, in a temporary folder and on free ports of 127.0.0.1.</summary>
/// <remarks>
/// Needs the PostgreSQL programs on the machine, no root and no containers. When this process is root, the servers run as the user <c>postgres</c>,
/// or <c>nobody</c> when there is none. Each cluster has a system identifier and a password of its own. Disposing it ends the servers and removes
/// the folder; when this process dies without disposing, a watchdog does so, and the next start of any test server looks again.
/// Thread-safe.
/// </remarks>
public sealed class PostgresCluster : IAsyncDisposable
{
    private readonly AsyncLock _membership = new();
    private readonly ServerFolder _folder;
    private readonly PostgresTools _tools;
    private readonly PostgresConfiguration _configuration;
    private readonly PostgresClusterOptions _options;
    private ImmutableArray<PostgresServer> _servers = [];
    private bool _disposed;

    private PostgresCluster(ServerFolder folder, PostgresTools tools, PostgresClusterOptions options)
    {
        _folder = folder;
        _tools = tools;
        _options = options;
        _configuration = new PostgresConfiguration(options, folder.Path);
    }

    /// <summary>The server that started as primary. Stays the same after a promotion.</summary>
    public PostgresServer Primary => _servers[0];

    /// <summary>The servers that started as standbys, in the order of their names. Contains a promoted one, too.</summary>
    public IReadOnlyList<PostgresServer> Standbys => _servers[1..];

    /// <summary>All servers, <see cref="Primary"/> first.</summary>
    public IReadOnlyList<PostgresServer> Servers => _servers;

    internal string Folder => _folder.Path;

    internal int WatchdogId => _folder.WatchdogId;

    /// <summary>Starts a primary and its standbys, and completes when all accept connections and every standby streams.</summary>
    /// <param name="options">What to start; <see langword="null"/> means two standbys and the database <c>app</c>.</param>
    /// <param name="cancellationToken">Gives up and removes what was started.</param>
    /// <returns>The running cluster. The caller disposes it.</returns>
    /// <remarks>
    /// Takes about one second for two standbys; the first call of a user on a machine takes one more, for <c>initdb</c>. Its result stays in the
    /// temporary folder as <c>efscaling-template-…</c>. That folder is the one that <c>EFSCALING_TEMP</c> or <c>TMPDIR</c> names, else
    /// <c>/dev/shm</c> when it and the machine have 4 GiB of memory, else the system's own.
    /// </remarks>
    /// <exception cref="ServerBinaryNotFoundException">PostgreSQL is not installed; the message tells what to install.</exception>
    /// <exception cref="ServerStartException">A server did not start, for example because of a wrong setting; the exception holds its log.</exception>
    /// <exception cref="PlatformNotSupportedException">The system is neither Linux nor macOS.</exception>
    public static async Task<PostgresCluster> StartAsync(PostgresClusterOptions? options = null, CancellationToken cancellationToken = default)
    {
        var tools = PostgresTools.Find();
        var folder = await ServerFolder.CreateAsync(cancellationToken).ConfigureAwait(false);
        var cluster = new PostgresCluster(folder, tools, options ?? new PostgresClusterOptions());
        try
        {
            await cluster.StartServersAsync(cancellationToken).ConfigureAwait(false);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Adds a standby of <see cref="Primary"/> while it runs, by a base backup, and completes when the standby streams.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The new server, which is then also the last of <see cref="Standbys"/>.</returns>
    /// <exception cref="ServerStartException">The backup or the new server failed, for example because the primary does not run.</exception>
    /// <exception cref="ObjectDisposedException">The cluster is disposed.</exception>
    public async Task<PostgresServer> AddStandbyAsync(CancellationToken cancellationToken = default)
    {
        using var held = await _membership.LockAsync(cancellationToken).ConfigureAwait(false);
        ObjectDisposedException.ThrowIf(_disposed, this);
        var standby = NewStandby();
        try
        {
            await BaseBackup.TakeAsync(_tools, _configuration, Primary, standby.DataFolder, cancellationToken).ConfigureAwait(false);
            await standby.StartAsync(cancellationToken).ConfigureAwait(false);
            await WaitUntilStreamingAsync([standby], cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await standby.EndAsync().ConfigureAwait(false);
            await ServerFolder.RemoveAsync(standby.DataFolder).ConfigureAwait(false);
            throw;
        }

        _servers = _servers.Add(standby);
        return standby;
    }

    /// <summary>Completes when every running standby has replayed what <see cref="Primary"/> had written when the call began.</summary>
    /// <param name="timeout">How long to wait; <see langword="null"/> means 30 seconds.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <remarks>
    /// Stopped standbys are left out, promoted ones too. A suspended or paused one is waited for, in vain. Commits made with
    /// <c>synchronous_commit = off</c> and the records of open transactions are included.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative.</exception>
    /// <exception cref="TimeoutException">A standby has not replayed it in time; the message names it and its position.</exception>
    public async Task WaitForReplicationAsync(TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var deadline = Deadline.After(PostgresServer.CheckedTimeout(timeout));
        var position = await InsertPosition.ReadAsync(Primary, cancellationToken).ConfigureAwait(false);
        await Task.WhenAll(_servers[1..]
            .Where(server => server.IsRunning && server.IsStandby)
            .Select(server => server.WaitForReplayAsync(position, deadline, cancellationToken))).ConfigureAwait(false);
    }

    /// <summary>Npgsql connection string that lists every present server, <see cref="Primary"/> first.</summary>
    /// <param name="database">Database to name; <see langword="null"/> means <see cref="PostgresClusterOptions.Database"/>.</param>
    /// <remarks>
    /// Without more settings Npgsql connects to the first server that answers: the primary while it runs. Use
    /// <see cref="PostgresServer.ConnectionString"/> for one certain server.
    /// </remarks>
    public string GetConnectionString(string? database = null)
    {
        var settings = new NpgsqlConnectionStringBuilder(Primary.GetConnectionString(database ?? _options.Database))
        {
            Host = string.Join(',', _servers.Select(server => $"{server.Host}:{server.Port}")),
        };
        settings.Remove("Port");
        return settings.ConnectionString;
    }

    /// <summary>Ends all servers at once and removes their folder. Does nothing the second time.</summary>
    public async ValueTask DisposeAsync()
    {
        using var held = await _membership.LockAsync().ConfigureAwait(false);
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        await Task.WhenAll(_servers.Select(server => server.EndAsync())).ConfigureAwait(false);
        await _folder.DisposeAsync().ConfigureAwait(false);
    }

    private async Task StartServersAsync(CancellationToken cancellationToken)
    {
        var primary = new PostgresServer(_folder, _tools, _configuration, "primary", _options.Database, upstream: null);
        _servers = [primary];
        await new PostgresSeed(_tools, _configuration, _options).PlantAsync(_folder, primary, cancellationToken).ConfigureAwait(false);

        // Standbys are copies of the primary from before its first start: no base backup, nothing to catch up.
        for (var i = 0; i < _options.Standbys; i++)
        {
            var standby = NewStandby();
            _servers = _servers.Add(standby);
            await PostgresTools.CopyAsync(primary.DataFolder, standby.DataFolder, cancellationToken).ConfigureAwait(false);
        }

        await primary.StartAsync(cancellationToken).ConfigureAwait(false);
        await Task.WhenAll(Standbys.Select(standby => standby.StartAsync(cancellationToken))).ConfigureAwait(false);
        await WaitUntilStreamingAsync(Standbys, cancellationToken).ConfigureAwait(false);
    }

    private PostgresServer NewStandby() =>
        new(_folder, _tools, _configuration, $"standby{_servers.Length}", _options.Database, Primary);

    private Task WaitUntilStreamingAsync(IReadOnlyList<PostgresServer> standbys, CancellationToken cancellationToken)
    {
        var names = string.Join(", ", standbys.Select(standby => $"'{standby.Name}'"));
        return Eventually.ThatAsync(
            async () => standbys.Count == 0 || standbys.Count == await Primary.ScalarAsync<long>(
                $"SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND application_name IN ({names})",
                cancellationToken).ConfigureAwait(false),
            TimeSpan.FromSeconds(30), "the standbys to stream", cancellationToken);
    }
}
