using System.Diagnostics;
using EfScaling.Testing;

namespace EfScaling.IntegrationTests.Testing;

/// <summary>What a started cluster is made of.</summary>
public sealed class PostgresClusterTests(ITestOutputHelper output)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Starts_a_primary_and_two_streaming_standbys()
    {
        // Once before, so that the measured start does not include initdb.
        await using (await PostgresCluster.StartAsync(new() { Standbys = 0 }, Ct))
        {
        }

        var start = Stopwatch.GetTimestamp();
        await using var cluster = await PostgresCluster.StartAsync(cancellationToken: Ct);
        output.WriteLine($"Started a primary with two standbys in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms.");

        Assert.Equal(["primary", "standby1", "standby2"], cluster.Servers.Select(server => server.Name));
        Assert.Equal(2, await cluster.Primary.ScalarAsync<long>("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", Ct));

        await cluster.Primary.ExecuteAsync("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 1000)", Ct);
        await cluster.WaitForReplicationAsync(cancellationToken: Ct);
        foreach (var standby in cluster.Standbys)
        {
            Assert.True(await standby.ScalarAsync<bool>("SELECT pg_is_in_recovery()", Ct));
            Assert.Equal(1000, await standby.ScalarAsync<long>("SELECT count(*) FROM t", Ct));
        }
    }
}
