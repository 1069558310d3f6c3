using EfScaling.Routing;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Servers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Sample;

/// <summary>Where an application would set up its contexts: once with replicas, and once without to compare.</summary>
internal static class FeedServices
{
    /// <summary>Contexts that read from replicas and write to the primary.</summary>
    public static ServiceProvider WithReplicas(SampleServers servers) =>
        new ServiceCollection()
            .AddReadReplicaDbContextFactory<FeedContext>((_, options) => options
                .UseNpgsql(servers.Primary)
                .UseReadReplicas(replicas =>
                {
                    foreach (var replica in servers.Replicas)
                    {
                        replicas.AddReplica(replica);
                    }
                }))
            .BuildServiceProvider();

    /// <summary>Plain EF Core on the primary.</summary>
    public static ServiceProvider PrimaryAlone(SampleServers servers) =>
        new ServiceCollection()
            .AddPooledDbContextFactory<FeedContext>(options => options.UseNpgsql(servers.Primary))
            .BuildServiceProvider();
}
