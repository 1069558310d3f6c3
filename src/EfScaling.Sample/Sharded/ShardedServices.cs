using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Sample.Sharded;

/// <summary>Where an application would set up its contexts: the feed over four shards, each with a replica, and the accounts beside it.</summary>
internal static class ShardedServices
{
    public static ServiceProvider Create(ShardedServers servers) =>
        new ServiceCollection()
            .AddShardedDbContextFactory<ShardedFeedContext>((_, options) => options
                .UseNpgsql()
                .UseSharding(sharding =>
                {
                    foreach (var (name, primary, replica) in servers.Shards)
                    {
                        sharding.AddShard(name, primary, replicas => replicas.AddReplica(replica));
                    }
                })
                .UseQueryCache(cache => cache.Redis(servers.Redis)))
            .AddReadReplicaDbContextFactory<AccountsContext>((_, options) => options
                .UseNpgsql(servers.Accounts.Primary)
                .UseReadReplicas(replicas => replicas.AddReplica(servers.Accounts.Replica).ClusterName("accounts"))
                .UseQueryCache(cache => cache.Redis(servers.Redis)))
            .BuildServiceProvider();
}
