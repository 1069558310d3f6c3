using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using EfScaling.Topology;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>A cluster with one standby, and two instances of one web application over it.</summary>
public sealed class WebCluster : IAsyncLifetime
{
    private PostgresCluster? _cluster;
    private WebInstance? _first;
    private WebInstance? _second;

    public PostgresCluster Cluster => _cluster!;

    /// <summary>Gets the instance that tests write on.</summary>
    public WebInstance First => _first!;

    /// <summary>Gets the instance that tests read on.</summary>
    public WebInstance Second => _second!;

    public async ValueTask InitializeAsync()
    {
        _cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(_cluster);
        _first = await WebInstance.StartAsync(_cluster);
        _second = await WebInstance.StartAsync(_cluster);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var part in new IAsyncDisposable?[] { _first, _second, _cluster })
        {
            if (part is not null)
            {
                await part.DisposeAsync();
            }
        }
    }

    /// <summary>Waits until users without a session read from the standby on both instances, and stops its replay.</summary>
    /// <returns>The lag, which ends when it is disposed.</returns>
    public async Task<IAsyncDisposable> LagAsync()
    {
        await UntilTheStandbyServesAsync();
        await Cluster.Standbys[0].PauseReplayAsync();
        return EndOfLag();
    }

    /// <summary>Returns what ends a lag, whoever begins it.</summary>
    public IAsyncDisposable EndOfLag() => new Lag(Cluster);

    /// <summary>Waits until users without a session read from the standby on both instances.</summary>
    public async Task UntilTheStandbyServesAsync()
    {
        foreach (var instance in new[] { First, Second })
        {
            using var user = new WebUser();
            await Eventually.ThatAsync(
                async () =>
                {
                    user.Forget();
                    return (await user.ReadAsync(instance, "nothing")).Role == NodeRole.Replica;
                },
                ReplicaReads.Patience,
                "the standby serves");
        }
    }

    private sealed class Lag(PostgresCluster cluster) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await cluster.Standbys[0].ResumeReplayAsync();
            await cluster.WaitForReplicationAsync();
        }
    }
}
