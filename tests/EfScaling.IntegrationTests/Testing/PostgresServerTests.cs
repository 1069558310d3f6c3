using System.Diagnostics;
using EfScaling.Testing;
using Npgsql;

namespace EfScaling.IntegrationTests.Testing;

/// <summary>Each way to make a server fail, lag or change its role.</summary>
public sealed class PostgresServerTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(300);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [ServerFact]
    public async Task Paused_replay_shows_old_data_until_it_is_resumed()
    {
        await using var cluster = await StartWithTableAsync();
        var standby = cluster.Standbys[0];

        await standby.PauseReplayAsync(Ct);
        await cluster.Primary.ExecuteAsync("INSERT INTO t VALUES (1)", Ct);
        await Assert.ThrowsAsync<TimeoutException>(() => cluster.WaitForReplicationAsync(Short, Ct));
        Assert.Equal(0, await CountAsync(standby));

        await standby.ResumeReplayAsync(Ct);
        await cluster.WaitForReplicationAsync(cancellationToken: Ct);
        Assert.Equal(1, await CountAsync(standby));
    }

    [ServerFact]
    public async Task An_apply_delay_holds_commits_back_and_ends_when_it_is_set_to_zero()
    {
        await using var cluster = await StartWithTableAsync();
        var standby = cluster.Standbys[0];

        await standby.SetApplyDelayAsync(TimeSpan.FromMinutes(5), Ct);
        await cluster.Primary.ExecuteAsync("INSERT INTO t VALUES (1)", Ct);
        await Assert.ThrowsAsync<TimeoutException>(() => cluster.WaitForReplicationAsync(Short, Ct));
        Assert.Equal(0, await CountAsync(standby));

        await standby.SetApplyDelayAsync(TimeSpan.Zero, Ct);
        await cluster.WaitForReplicationAsync(cancellationToken: Ct);
        Assert.Equal(1, await CountAsync(standby));
    }

    [ServerFact]
    public async Task A_stopped_or_killed_server_keeps_port_and_data_when_it_starts_again()
    {
        await using var cluster = await StartWithTableAsync();
        var primary = cluster.Primary;
        var port = primary.Port;
        await primary.ExecuteAsync("INSERT INTO t VALUES (1)", Ct);

        await primary.StopAsync(Ct);
        Assert.False(primary.IsRunning);
        await Assert.ThrowsAsync<NpgsqlException>(() => CountAsync(primary));
        await primary.StartAsync(Ct);
        Assert.Equal(1, await CountAsync(primary));

        await primary.KillAsync();
        Assert.False(primary.IsRunning);
        await Assert.ThrowsAsync<NpgsqlException>(() => CountAsync(primary));
        await primary.StartAsync(Ct);
        Assert.Equal(1, await CountAsync(primary));

        await cluster.Standbys[0].RestartAsync(Ct);
        await cluster.WaitForReplicationAsync(cancellationToken: Ct);
        Assert.Equal(1, await CountAsync(cluster.Standbys[0]));
        Assert.Equal(port, primary.Port);
    }

    [ServerFact]
    public async Task A_killed_server_breaks_open_connections()
    {
        await using var cluster = await PostgresCluster.StartAsync(new() { Standbys = 0 }, Ct);
        await using var source = NpgsqlDataSource.Create(cluster.Primary.ConnectionString);
        await using var connection = await source.OpenConnectionAsync(Ct);

        await cluster.Primary.KillAsync();

        await using var command = new NpgsqlCommand("SELECT 1", connection);
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => command.ExecuteScalarAsync(Ct));
    }

    [ServerFact]
    public async Task A_suspended_server_hangs_and_goes_on_when_it_is_continued()
    {
        await using var cluster = await StartWithTableAsync();
        var standby = cluster.Standbys[0];
        var source = NpgsqlDataSource.Create(standby.ConnectionString);
        await using var connection = await source.OpenConnectionAsync(Ct);

        await standby.SuspendAsync();
        Assert.True(standby.IsRunning);
        await using var command = new NpgsqlCommand("SELECT 1", connection);
        var answer = command.ExecuteScalarAsync(Ct);
        await Assert.ThrowsAsync<TimeoutException>(() => answer.WaitAsync(Short, Ct));

        await standby.ContinueAsync();
        Assert.Equal(1, await answer);

        await standby.SuspendAsync();
        await standby.KillAsync();
        Assert.False(standby.IsRunning);
    }

    [ServerFact]
    public async Task A_promoted_standby_takes_writes_and_another_one_follows_it()
    {
        await using var cluster = await PostgresCluster.StartAsync(cancellationToken: Ct);
        var next = cluster.Standbys[0];
        var other = cluster.Standbys[1];
        var refused = await Assert.ThrowsAsync<PostgresException>(() => next.ExecuteAsync("CREATE TABLE t (id int)", Ct));
        Assert.Equal(PostgresErrorCodes.ReadOnlySqlTransaction, refused.SqlState);

        await cluster.Primary.KillAsync();
        await next.PromoteAsync(Ct);
        await next.ExecuteAsync("CREATE TABLE t (id int); INSERT INTO t VALUES (1)", Ct);

        await other.FollowAsync(next, Ct);
        await other.WaitForReplayAsync(next, cancellationToken: Ct);
        Assert.Equal(1, await CountAsync(other));

        await cluster.Primary.StartAsync(Ct);
        Assert.True(await cluster.Primary.ScalarAsync<bool>("SELECT NOT pg_is_in_recovery()", Ct));
    }

    [ServerFact]
    public async Task Disposing_ends_suspended_killed_and_busy_servers_quickly()
    {
        var cluster = await PostgresCluster.StartAsync(cancellationToken: Ct);
        var busy = cluster.Primary.ExecuteAsync("SELECT pg_sleep(60)", Ct);
        await cluster.Standbys[0].SuspendAsync();
        await cluster.Standbys[1].KillAsync();

        var start = Stopwatch.GetTimestamp();
        await cluster.DisposeAsync();

        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, TimeSpan.FromSeconds(15));
        Assert.All(cluster.Servers, server => Assert.False(server.IsRunning));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => cluster.Primary.StartAsync(Ct));
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => busy);
    }

    private static async Task<PostgresCluster> StartWithTableAsync()
    {
        var cluster = await PostgresCluster.StartAsync(new() { Standbys = 1 }, Ct);
        await cluster.Primary.ExecuteAsync("CREATE TABLE t (id int)", Ct);
        await cluster.WaitForReplicationAsync(cancellationToken: Ct);
        return cluster;
    }

    private static Task<long> CountAsync(PostgresServer server) => server.ScalarAsync<long>("SELECT count(*) FROM t", Ct);
}
