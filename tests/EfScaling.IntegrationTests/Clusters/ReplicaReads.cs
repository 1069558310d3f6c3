using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Clusters;

/// <summary>Reads of fresh contexts over a cluster of which one replica is given by its connection string, and where they ran.</summary>
public static class ReplicaReads
{
    /// <summary>Gets how long a test waits for what it expects.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(20);

    /// <summary>Options over the primary of the cluster and one replica.</summary>
    public static DbContextOptions<BlogContext> Options(PostgresCluster cluster, string replica, Action<ReplicaOptionsBuilder>? configure = null, EventLog? log = null)
    {
        var options = new DbContextOptionsBuilder<BlogContext>().UseNpgsql(cluster.Primary.ConnectionString).UseReadReplicas(r =>
        {
            r.AddReplica(replica);
            configure?.Invoke(r);
        });
        return log is null ? options.Options : options.UseLoggerFactory(log).Options;
    }

    /// <summary>The connection string of a server behind another port, such as the one of a proxy.</summary>
    public static string At(PostgresServer server, int port) => new NpgsqlConnectionStringBuilder(server.ConnectionString) { Port = port }.ConnectionString;

    /// <summary>Waits until a fresh context reads from a replica.</summary>
    public static Task ServesAsync(DbContextOptions options) =>
        Eventually.ThatAsync(async () => await ReasonAsync(options) == RoutingReason.FreshReplica, Patience, "a replica serves");

    /// <summary>Reads with a fresh context and returns why the read ran where it did.</summary>
    public static async Task<RoutingReason> ReasonAsync(DbContextOptions options)
    {
        await using var context = new BlogContext(options);
        await context.Blogs.CountAsync();
        return context.Database.LastRouting()!.Value.Reason;
    }

    /// <summary>Reads with fresh contexts and returns the nodes that served.</summary>
    public static async Task<HashSet<string>> NodesAsync(DbContextOptions options, int reads)
    {
        var nodes = new HashSet<string>();
        for (var i = 0; i < reads; i++)
        {
            await using var context = new BlogContext(options);
            Assert.Equal(3, await context.Blogs.CountAsync());
            nodes.Add(context.Database.LastRouting()!.Value.Node);
        }

        return nodes;
    }
}
