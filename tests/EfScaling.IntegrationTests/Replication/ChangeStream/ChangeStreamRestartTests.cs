using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Testing;
using EfScaling.Testing;

namespace EfScaling.IntegrationTests.Replication.ChangeStream;

/// <summary>Servers that restart, crash and are replaced while their changes are read.</summary>
public sealed class ChangeStreamRestartTests
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [ServerFact]
    public async Task No_change_is_missed_over_restarts_crashes_and_hangs_and_a_failover_without_the_slot_is_a_gap()
    {
        await using var cluster = await PostgresCluster.StartAsync(
            new()
            {
                Standbys = 1,
                Settings = new Dictionary<string, string> { ["wal_level"] = "logical", ["wal_sender_timeout"] = "2s" },
            },
            Ct);
        await cluster.Primary.ExecuteAsync("CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id serial PRIMARY KEY)", Ct);
        var database = new LogicalDatabase("app", cluster.GetConnectionString());
        await using var changes = await ChangeRecorder.StartNewAsync(database, o => o with { SilenceTimeout = TimeSpan.FromSeconds(1) });
        await Eventually.ThatAsync(database.HasSlotAsync, _patience, "the slot", Ct);

        await cluster.Primary.RestartAsync(Ct);
        await ReportedAsync("public.a");

        await cluster.Primary.KillAsync();
        await cluster.Primary.StartAsync(Ct);
        await ReportedAsync("public.b");

        await cluster.Primary.SuspendAsync();
        await Eventually.ThatAsync(() => changes.Lag is null, _patience, "the reader to notice that the server hangs", Ct);
        await cluster.Primary.ContinueAsync();
        await ReportedAsync("public.a");
        Assert.Equal(1, changes.Log.Count(EfScalingEventId.ChangeStreamGap));

        await cluster.WaitForReplicationAsync(cancellationToken: Ct);
        await cluster.Primary.KillAsync();
        await cluster.Standbys[0].PromoteAsync(Ct);
        Assert.Equal("everything", (await changes.UntilAsync("everything"))[^1]);
        await cluster.Standbys[0].ExecuteAsync("INSERT INTO b DEFAULT VALUES", Ct);
        await changes.UntilAsync("public.b");

        // What was not confirmed before the failure may come again.
        async Task ReportedAsync(string table)
        {
            await cluster.Primary.ExecuteAsync($"INSERT INTO {table} DEFAULT VALUES", Ct);
            Assert.DoesNotContain("everything", await changes.UntilAsync(table));
        }
    }
}
