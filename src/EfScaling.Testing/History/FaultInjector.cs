using System.Diagnostics;

namespace EfScaling.Testing.History;

/// <summary>Breaks the servers of a cluster, and mends them.</summary>
internal sealed class FaultInjector(PostgresCluster cluster, HistoryRecorder recorder, WriteGate gate, TimeSpan longestLimit)
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    // How long a cluster at rest is watched.
    private static readonly TimeSpan _rest = TimeSpan.FromSeconds(1);

    private PostgresServer _primary = cluster.Primary;

    /// <summary>Lets a fault happen and mends what it broke.</summary>
    public async Task InjectAsync(Fault fault, CancellationToken cancellationToken)
    {
        var started = recorder.Now;
        PostgresServer[] standbys = [.. cluster.Servers.Where(s => s != _primary && s.IsRunning)];
        var standby = standbys[fault.Standby % standbys.Length];
        PostgresServer[] others = [.. standbys.Where(s => s != standby)];
        await DelayAsync(others, fault.Lag).ConfigureAwait(false);
        try
        {
            await InjectAsync(fault, standby, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await DelayAsync(others, TimeSpan.Zero).ConfigureAwait(false);
            recorder.Add(new HistoryEvent { Operation = HistoryOperation.Fault, How = $"{fault}", Started = started, Ended = recorder.Now });
        }
    }

    /// <summary>Shuts the primary down when every standby has everything, and makes a standby the primary.</summary>
    public async Task PromoteAsync()
    {
        var started = recorder.Now;
        await cluster.WaitForReplicationAsync().ConfigureAwait(false);

        // A primary that is shut down in order ends only when its standbys have received everything, so nothing is lost.
        await _primary.StopAsync().ConfigureAwait(false);
        _primary = cluster.Standbys[0];
        await _primary.PromoteAsync().ConfigureAwait(false);
        foreach (var standby in cluster.Standbys.Skip(1))
        {
            await standby.FollowAsync(_primary).ConfigureAwait(false);
        }

        recorder.Add(new HistoryEvent { Operation = HistoryOperation.Fault, How = $"promotion of {_primary.Name}", Started = started, Ended = recorder.Now });
    }

    private async Task InjectAsync(Fault fault, PostgresServer standby, CancellationToken cancellationToken)
    {
        switch (fault.Kind)
        {
            case FaultKind.PauseReplay:
                await standby.PauseReplayAsync(CancellationToken.None).ConfigureAwait(false);
                await LastAsync(fault, cancellationToken).ConfigureAwait(false);
                await standby.ResumeReplayAsync(CancellationToken.None).ConfigureAwait(false);
                break;
            case FaultKind.DelayReplay:
                await standby.SetApplyDelayAsync(fault.Duration / 4, CancellationToken.None).ConfigureAwait(false);
                await LastAsync(fault, cancellationToken).ConfigureAwait(false);
                await standby.SetApplyDelayAsync(TimeSpan.Zero, CancellationToken.None).ConfigureAwait(false);
                break;
            case FaultKind.CutReplication:
                await standby.ExecuteAsync("ALTER SYSTEM SET primary_conninfo = ''", CancellationToken.None).ConfigureAwait(false);
                await standby.ExecuteAsync("SELECT pg_reload_conf()", CancellationToken.None).ConfigureAwait(false);
                await LastAsync(fault, cancellationToken).ConfigureAwait(false);
                await standby.FollowAsync(_primary, CancellationToken.None).ConfigureAwait(false);
                break;
            case FaultKind.KillStandby:
                await standby.KillAsync().ConfigureAwait(false);
                await LastAsync(fault, cancellationToken).ConfigureAwait(false);
                await standby.StartAsync(CancellationToken.None).ConfigureAwait(false);
                break;
            case FaultKind.StopStandby:
                await standby.StopAsync(CancellationToken.None).ConfigureAwait(false);
                await LastAsync(fault, cancellationToken).ConfigureAwait(false);
                await standby.StartAsync(CancellationToken.None).ConfigureAwait(false);
                break;
            case FaultKind.RestartStandby:
                await standby.RestartAsync(CancellationToken.None).ConfigureAwait(false);
                await LastAsync(fault, cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.FreezeStandby:
                await standby.SuspendAsync().ConfigureAwait(false);
                await LastAsync(fault, cancellationToken).ConfigureAwait(false);
                await standby.ContinueAsync().ConfigureAwait(false);
                break;
            case FaultKind.RestartPrimary:
                await _primary.RestartAsync(CancellationToken.None).ConfigureAwait(false);
                await LastAsync(fault, cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.KillPrimary:
                await _primary.KillAsync().ConfigureAwait(false);
                await _primary.StartAsync(CancellationToken.None).ConfigureAwait(false);
                await LastAsync(fault, cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.SwitchWalAtRest:
                await RestAsync(standby, cancellationToken).ConfigureAwait(false);
                break;
            default:
                throw new UnreachableException();
        }
    }

    private async Task RestAsync(PostgresServer standby, CancellationToken cancellationToken)
    {
        gate.Close();
        try
        {
            await Eventually.ThatAsync(() => gate.IsQuiet, _patience, "the writes to end", cancellationToken).ConfigureAwait(false);
            await DelayAsync(cluster.Servers.Where(s => s != _primary && s.IsRunning && s != standby), TimeSpan.Zero).ConfigureAwait(false);
            await SwitchAsync(cancellationToken).ConfigureAwait(false);

            // Reads of the primary may write, too: they tidy pages, which moves the position off the page header.
            var started = recorder.Now;
            var grace = HistoryChecker.GraceFor(longestLimit);
            await Eventually.ThatAsync(
                async () =>
                {
                    await SwitchAsync(cancellationToken).ConfigureAwait(false);
                    return recorder.Now - started >= grace;
                },
                grace + _patience, "the monitors to notice", cancellationToken).ConfigureAwait(false);

            await Task.Delay(_rest, cancellationToken).ConfigureAwait(false);
            recorder.Add(new HistoryEvent { Operation = HistoryOperation.Quiet, How = "nothing is written after pg_switch_wal()", Started = started, Ended = recorder.Now });
        }
        finally
        {
            gate.Open();
        }
    }

    // Does nothing if no record was written since the last time.
    private async Task SwitchAsync(CancellationToken cancellationToken)
    {
        await _primary.ExecuteAsync("SELECT pg_switch_wal()", cancellationToken).ConfigureAwait(false);
        await cluster.WaitForReplicationAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    private static Task DelayAsync(IEnumerable<PostgresServer> standbys, TimeSpan lag) =>
        Task.WhenAll(standbys.Select(s => s.SetApplyDelayAsync(lag, CancellationToken.None)));

    // What is broken is mended also when the run ends.
    private static async Task LastAsync(Fault fault, CancellationToken cancellationToken) =>
        await Task.Delay(fault.Duration, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
