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
        _cluster = await PostgresCluster.StartAsync();
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
