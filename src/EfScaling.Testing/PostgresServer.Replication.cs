using System.Globalization;
using EfScaling.Testing.Postgres;
using NpgsqlTypes;

namespace EfScaling.Testing;

/// <content>Replay, lag and promotion.</content>
public sealed partial class PostgresServer
{
    private static readonly TimeSpan MaxApplyDelay = TimeSpan.FromMilliseconds(int.MaxValue);

    /// <summary>Stops replay on a standby: it goes on receiving, but its data stay as they are. Completes when replay has stopped.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="Npgsql.PostgresException">The server is not a standby (55000).</exception>
    /// <exception cref="TimeoutException">Replay did not stop within 30 seconds.</exception>
    public async Task PauseReplayAsync(CancellationToken cancellationToken = default)
    {
        await ExecuteAsync("SELECT pg_wal_replay_pause()", cancellationToken).ConfigureAwait(false);

        // The function only asks for it: one record more may be replayed until the state changes.
        await Eventually.ThatAsync(
            async () => await ScalarAsync<string>("SELECT pg_get_wal_replay_pause_state()", cancellationToken).ConfigureAwait(false) == "paused",
            Patience, $"replay of '{Name}' to pause", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lets a standby replay again. Does nothing when it is not paused.</summary>
    /// <param name="cancellationToken">Cancels the command.</param>
    /// <exception cref="Npgsql.PostgresException">The server is not a standby (55000).</exception>
    public Task ResumeReplayAsync(CancellationToken cancellationToken = default) =>
        ExecuteAsync("SELECT pg_wal_replay_resume()", cancellationToken);

    /// <summary>Makes a standby show each commit only <paramref name="delay"/> after it happened on the primary (<c>recovery_min_apply_delay</c>).</summary>
    /// <param name="delay">From zero, which ends the delay, to about 24 days; whole milliseconds.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <remarks>
    /// Applies to commits that are replayed from now on, survives restarts, and also ends a wait that is under way when it is shortened.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="delay"/> is out of range.</exception>
    /// <exception cref="TimeoutException">The server did not take the setting within 30 seconds.</exception>
    public async Task SetApplyDelayAsync(TimeSpan delay, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(delay, MaxApplyDelay);

        var milliseconds = ((long)delay.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        await ChangeSettingAsync("recovery_min_apply_delay", milliseconds + "ms", cancellationToken).ConfigureAwait(false);
        await Eventually.ThatAsync(
            async () => await ScalarAsync<string>(
                "SELECT setting FROM pg_settings WHERE name = 'recovery_min_apply_delay'", cancellationToken).ConfigureAwait(false) == milliseconds,
            Patience, $"'{Name}' to take its apply delay", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes a standby the writable primary of a new timeline. Completes when it accepts writes.</summary>
    /// <param name="cancellationToken">Ends the wait, not the promotion.</param>
    /// <remarks>
    /// The former primary is not touched: kill it first, or test what happens when both run. <see cref="PostgresCluster.Primary"/> keeps naming the
    /// server that started as primary. Other standbys follow the new one after <see cref="FollowAsync"/>.
    /// </remarks>
    /// <exception cref="Npgsql.PostgresException">The server is not a standby (55000).</exception>
    /// <exception cref="TimeoutException">It does not accept writes after 30 seconds.</exception>
    public async Task PromoteAsync(CancellationToken cancellationToken = default)
    {
        await ExecuteAsync("SELECT pg_promote(wait => false)", cancellationToken).ConfigureAwait(false);
        await Eventually.ThatAsync(
            () => ScalarAsync<bool>("SELECT NOT pg_is_in_recovery()", cancellationToken),
            Patience, $"'{Name}' to accept writes", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Points a standby at another server, such as one that was just promoted. Completes when it streams from there.</summary>
    /// <param name="upstream">Server of the same cluster to follow: a primary, or a standby for cascading replication.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <remarks>A standby that has received more than <paramref name="upstream"/> had when it was promoted cannot follow it.</remarks>
    /// <exception cref="TimeoutException">The standby does not stream after 30 seconds; its log tells why.</exception>
    public async Task FollowAsync(PostgresServer upstream, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(upstream);

        await ChangeSettingAsync("primary_conninfo", _configuration.Upstream(Name, upstream.Port), cancellationToken).ConfigureAwait(false);
        await Eventually.ThatAsync(
            () => upstream.ScalarAsync<bool>(
                $"SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = '{Name}' AND state = 'streaming')", cancellationToken),
            Patience, $"'{Name}' to stream from '{upstream.Name}'", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Completes when this standby has replayed everything that <paramref name="upstream"/> had written when the call began.</summary>
    /// <param name="upstream">A server that is not in recovery.</param>
    /// <param name="timeout">How long to wait; <see langword="null"/> means 30 seconds.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <remarks>Commits made with <c>synchronous_commit = off</c> and the records of open transactions are included.</remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative.</exception>
    /// <exception cref="TimeoutException">The standby has not replayed it in time, for example because replay is paused.</exception>
    public async Task WaitForReplayAsync(PostgresServer upstream, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(upstream);

        var deadline = Deadline.After(CheckedTimeout(timeout));
        var position = await InsertPosition.ReadAsync(upstream, cancellationToken).ConfigureAwait(false);
        await WaitForReplayAsync(position, deadline, cancellationToken).ConfigureAwait(false);
    }

    internal static TimeSpan CheckedTimeout(TimeSpan? timeout)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(timeout ?? Patience, TimeSpan.Zero, nameof(timeout));
        return timeout ?? Patience;
    }

    internal async Task WaitForReplayAsync(NpgsqlLogSequenceNumber position, Deadline deadline, CancellationToken cancellationToken)
    {
        NpgsqlLogSequenceNumber? replayed = null;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        end.CancelAfter(deadline.Remaining + TimeSpan.FromMilliseconds(100));
        try
        {
            await Eventually.ThatAsync(
                async () =>
                {
                    // Npgsql does not cancel an attempt to log in, and a suspended server never answers one.
                    replayed = await ScalarAsync<NpgsqlLogSequenceNumber?>("SELECT pg_last_wal_replay_lsn()", end.Token)
                        .WaitAsync(end.Token).ConfigureAwait(false);
                    return replayed >= position;
                },
                deadline.Remaining, "replay", end.Token).ConfigureAwait(false);
        }
        catch (Exception late) when (late is TimeoutException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"'{Name}' was to replay up to {position}, but has reached {replayed?.ToString() ?? "nothing (no answer)"}.", late);
        }
    }

    private async Task ChangeSettingAsync(string setting, string value, CancellationToken cancellationToken)
    {
        // ALTER SYSTEM refuses to run together with another statement.
        await ExecuteAsync($"ALTER SYSTEM SET {setting} = '{value}'", cancellationToken).ConfigureAwait(false);
        await ExecuteAsync("SELECT pg_reload_conf()", cancellationToken).ConfigureAwait(false);
    }
}
