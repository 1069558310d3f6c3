using EfScaling.Testing;
using Npgsql;

namespace EfScaling.IntegrationTests.Clusters;

/// <summary>Makes commits wait for a standby that does not exist: in the log, and visible to nobody.</summary>
internal static class MissingStandby
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(30);

    private const string Waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

    /// <summary>Completes when a commit waits. The server tells its processes of the setting one by one.</summary>
    public static async Task AwaitAsync(PostgresCluster cluster)
    {
        await cluster.Primary.ExecuteAsync("CREATE TABLE IF NOT EXISTS commits_wait (probe int)");
        await SetAsync(cluster, "missing");
        await Eventually.ThatAsync(() => ProbeAsync(cluster), _deadline, "commits wait for the standby");
    }

    /// <summary>Lets all commits go on.</summary>
    public static Task ForgetAsync(PostgresCluster cluster) => SetAsync(cluster, string.Empty);

    /// <summary>Completes when exactly one commit waits.</summary>
    public static Task UntilOneWaitsAsync(PostgresCluster cluster) =>
        Eventually.ThatAsync(async () => await cluster.Primary.ScalarAsync<long>($"SELECT count(*) {Waiting}") == 1, _deadline, "the commit waits");

    private static async Task SetAsync(PostgresCluster cluster, string name)
    {
        await cluster.Primary.ExecuteAsync($"ALTER SYSTEM SET synchronous_standby_names = '{name}'");
        await cluster.Primary.ExecuteAsync("SELECT pg_reload_conf()");
        await Eventually.ThatAsync(async () => await cluster.Primary.ScalarAsync<string>("SHOW synchronous_standby_names") == name, _deadline, "the setting is read");
    }

    private static async Task<bool> ProbeAsync(PostgresCluster cluster)
    {
        await using var connection = new NpgsqlConnection(cluster.Primary.ConnectionString);
        await connection.OpenAsync();
        await using var insert = new NpgsqlCommand("INSERT INTO commits_wait VALUES (1)", connection);
        var inserting = insert.ExecuteNonQueryAsync();
        var waits = false;
        await Eventually.ThatAsync(
            async () => inserting.IsCompleted || (waits = await cluster.Primary.ScalarAsync<long>($"SELECT count(*) {Waiting}") > 0), _deadline, "the probe commits or waits");
        while (waits && !inserting.IsCompleted)
        {
            // It is committed, and only its answer is given up.
            await cluster.Primary.ExecuteAsync($"SELECT pg_cancel_backend(pid) {Waiting}");
        }

        await inserting;
        return waits;
    }
}
