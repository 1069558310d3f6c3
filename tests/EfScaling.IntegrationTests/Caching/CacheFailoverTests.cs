using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>When another Redis becomes the master, nobody sees anything old, and the cache is in use again.</summary>
public sealed class CacheFailoverTests(ClusterFixture fixture)
{
    [Fact]
    public async Task A_failover_brings_no_old_result_back()
    {
        var notes = new MarkedNotes(fixture.Cluster);
        await using var redis = await RedisSentinelCluster.StartAsync();
        var options = MarkedNotes.To($"{string.Join(',', redis.SentinelEndpoints)},serviceName={redis.ServiceName}");
        var here = await CachedBlogs.StartAsync(fixture.Cluster, c => c.Redis(options));
        var there = await CachedBlogs.StartAsync(fixture.Cluster, c => c.Redis(options));
        await notes.AddAsync(here);
        await notes.AreCachedAsync(here, there);

        // What the master is told from now on, its replica never hears.
        var master = await redis.GetMasterAsync();
        await redis.Servers.Single(s => s != master).ExecuteAsync("REPLICAOF", "127.0.0.1", "1");
        await notes.AddAsync(here);
        await notes.AreRightAsync(here, there);
        await master.KillAsync();
        await redis.Servers.Single(s => s != master).ExecuteAsync("REPLICAOF", master.Host, $"{master.Port}");
        var replaced = redis.WaitForNewMasterAsync(master);
        do
        {
            await notes.AddAsync(here);
            await notes.AreRightAsync(here, there);
        }
        while (!replaced.IsCompleted);

        await replaced;
        await notes.AreCachedAsync(here, there);
        await notes.AreRightAsync(here, there);
        await notes.AddAsync(there);
        await notes.AreRightAsync(here, there);
    }
}
