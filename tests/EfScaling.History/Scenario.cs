using EfScaling.Testing;
using EfScaling.Testing.History;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace EfScaling.History;

/// <summary>The history of this repository's own proof: a primary with two standbys, and two processes of one application with different settings.</summary>
public static class Scenario
{
    /// <summary>Starts the servers, runs and ends the servers.</summary>
    public static async Task<HistoryReport> RunAsync(HistoryRunOptions options)
    {
        // Synchronous reads and failing connections block threads; probes must not wait for one.
        ThreadPool.SetMinThreads(64, 64);
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions
        {
            // A cluster at rest must be at rest. What hangs must not hang for minutes.
            Settings = new Dictionary<string, string> { ["autovacuum"] = "off", ["wal_sender_timeout"] = "5s" },
        });
        HistoryApplication[] applications =
        [
            Application(cluster, options.Promotes, TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(50)),
            Application(cluster, options.Promotes, TimeSpan.FromMilliseconds(400), TimeSpan.FromMilliseconds(50), TimeSpan.Zero),
        ];
        await using (var context = applications[0].CreateContext())
        {
            await context.Database.EnsureCreatedAsync();
        }

        return await new HistoryRun(cluster, applications, options).RunAsync();
    }

    private static HistoryApplication Application(PostgresCluster cluster, bool followsPrimary, TimeSpan maxStaleness, TimeSpan probeInterval, TimeSpan catchUpWait)
    {
        var options = new DbContextOptionsBuilder<HistoryContext>()
            .UseNpgsql(followsPrimary ? AllHosts(cluster) : cluster.Primary.ConnectionString, n => n.CommandTimeout(5))
            .UseReadReplicas(r =>
            {
                foreach (var standby in followsPrimary ? [] : cluster.Standbys)
                {
                    r.AddReplica(standby.ConnectionString);
                }

                r.MaxStaleness(maxStaleness).ProbeInterval(probeInterval).CatchUpWait(catchUpWait).ReadTimeout(TimeSpan.FromSeconds(1)).UnlimitedFallback();
            })
            .Options;
        return new HistoryApplication(new PooledDbContextFactory<HistoryContext>(options).CreateDbContext) { MaxStaleness = maxStaleness };
    }

    // Npgsql takes a host for a standby as long as this after it was one, 10 seconds by default.
    private static string AllHosts(PostgresCluster cluster) => new NpgsqlConnectionStringBuilder(cluster.GetConnectionString()) { HostRecheckSeconds = 1 }.ConnectionString;
}
