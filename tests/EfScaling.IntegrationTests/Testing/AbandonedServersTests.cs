using System.Diagnostics;
using System.Globalization;
using EfScaling.Testing;
using EfScaling.Testing.Processes;

namespace EfScaling.IntegrationTests.Testing;

/// <summary>What happens to servers whose process dies without disposing them. The process is a second run of this test program.</summary>
public sealed class AbandonedServersTests
{
    private const string ReportVariable = "EFSCALING_TEST_REPORT";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>Body of the second run: starts servers, tells where, and waits to be killed.</summary>
    [ServerFact(Explicit = true)]
    public async Task Starts_servers_and_waits_to_be_killed()
    {
        var report = Environment.GetEnvironmentVariable(ReportVariable)!;
        await using var cluster = await PostgresCluster.StartAsync(new() { Standbys = 1 }, Ct);
        await cluster.Standbys[0].SuspendAsync();
        await File.WriteAllTextAsync(
            report + ".tmp",
            string.Create(CultureInfo.InvariantCulture, $"{cluster.Folder}\n{cluster.WatchdogId}\n{cluster.Primary.ProcessId}\n{cluster.Standbys[0].ProcessId}"),
            Ct);
        File.Move(report + ".tmp", report);
        await Task.Delay(Timeout.Infinite, Ct);
    }

    [ServerFact]
    public async Task The_watchdog_ends_them_and_removes_their_folder()
    {
        var (folder, _, servers) = await AbandonAsync(alsoKillWatchdog: false);

        await Eventually.ThatAsync(() => !Directory.Exists(folder), Patience, "the watchdog to remove the folder", Ct);
        Assert.DoesNotContain(servers, ProcessTable.IsAlive);
    }

    [ServerFact]
    public async Task Without_a_watchdog_the_next_start_ends_them_and_spares_servers_in_use()
    {
        await using var living = await PostgresCluster.StartAsync(new() { Standbys = 0 }, Ct);
        var (folder, _, servers) = await AbandonAsync(alsoKillWatchdog: true);
        Assert.True(Directory.Exists(folder));
        Assert.All(servers, server => Assert.True(ProcessTable.IsAlive(server)));

        await using (await RedisServer.StartAsync(cancellationToken: Ct))
        {
        }

        Assert.False(Directory.Exists(folder));
        Assert.DoesNotContain(servers, ProcessTable.IsAlive);
        Assert.Equal(1, await living.Primary.ScalarAsync<int>("SELECT 1", Ct));
    }

    private static async Task<(string Folder, int Watchdog, int[] Servers)> AbandonAsync(bool alsoKillWatchdog)
    {
        var report = Path.Combine(Path.GetTempPath(), $"efscaling-report-{Guid.NewGuid():N}");
        var name = $"{typeof(AbandonedServersTests).FullName}.{nameof(Starts_servers_and_waits_to_be_killed)}";
        var start = new ProcessStartInfo(
            Path.ChangeExtension(typeof(AbandonedServersTests).Assembly.Location, null), ["-method", name, "-explicit", "only"])
        {
            RedirectStandardOutput = true,
        };
        start.Environment[ReportVariable] = report;
        using var run = Process.Start(start)!;
        try
        {
            await Eventually.ThatAsync(
                () => File.Exists(report) || (run.HasExited ? throw new InvalidOperationException("The second run ended early.") : false),
                Patience, "the second run to start its servers", Ct);
            var lines = await File.ReadAllLinesAsync(report, Ct);
            var ids = lines[1..].Select(line => int.Parse(line, CultureInfo.InvariantCulture)).ToArray();
            if (alsoKillWatchdog)
            {
                UnixSignal.Send(ids[0], UnixSignal.Kill);
            }

            run.Kill();
            await run.WaitForExitAsync(Ct);
            return (lines[0], ids[0], ids[1..]);
        }
        finally
        {
            File.Delete(report);
            run.Kill();
        }
    }
}
