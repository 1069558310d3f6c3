using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

[assembly: AssemblyFixture(typeof(EfScaling.IntegrationTests.Clusters.ClusterFixture))]

namespace EfScaling.IntegrationTests.Clusters;

/// <summary>One cluster of a primary and two standbys for all tests that leave it as they found it.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    private PostgresCluster? _cluster;

    public PostgresCluster Cluster => _cluster ?? throw new InvalidOperationException("The cluster has not been started.");

    public async ValueTask InitializeAsync()
    {
        // Test classes run side by side, and those that read synchronously or break connections block threads. With as few threads as processors the
        // answers to probes would wait for a thread longer than a probe may take.
        ThreadPool.SetMinThreads(64, 64);

        // Each test with settings of its own has pools of its own, which keep their connections for minutes.
        _cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Settings = new Dictionary<string, string> { ["max_connections"] = "600" } });
        await BlogContext.CreateSchemaAsync(_cluster);
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }
    }
}
