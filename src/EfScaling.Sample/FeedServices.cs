using EfScaling.Replication;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Servers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Sample;

/// <summary>Where an application would set up its contexts: with replicas and cache, and with less to compare.</summary>
internal static class FeedServices
{
    /// <summary>Contexts that read from the cache and from replicas, and write to the primary.</summary>
    public static ServiceProvider WithCache(SampleServers servers) =>
        new ServiceCollection()
            .AddReadReplicaDbContextFactory<FeedContext>((_, options) => options
                .UseNpgsql(servers.Primary)
                .UseReadReplicas(replicas => Add(servers.Replicas, replicas))
                .UseQueryCache(cache => cache.Redis(servers.Redis)))
            .BuildServiceProvider();

    /// <summary>Contexts that read from replicas and write to the primary.</summary>
    public static ServiceProvider WithReplicas(SampleServers servers) =>
        new ServiceCollection()
            .AddReadReplicaDbContextFactory<FeedContext>((_, options) => options
                .UseNpgsql(servers.Primary)
                .UseReadReplicas(replicas => Add(servers.Replicas, replicas)))
            .BuildServiceProvider();

    /// <summary>Plain EF Core on the primary.</summary>
    public static ServiceProvider PrimaryAlone(SampleServers servers) =>
        new ServiceCollection()
            .AddPooledDbContextFactory<FeedContext>(options => options.UseNpgsql(servers.Primary))
            .BuildServiceProvider();

    private static void Add(IReadOnlyList<string> replicas, ReplicaOptionsBuilder options)
    {
        foreach (var replica in replicas)
        {
            options.AddReplica(replica);
        }
    }
}
