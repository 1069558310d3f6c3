using EfScaling.Replication;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Clusters;

/// <summary>Contexts over a cluster whose replicas serve, and the log of where their commands ran.</summary>
public sealed class RoutedBlogs
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(20);
    private readonly PostgresCluster _cluster;

    private RoutedBlogs(PostgresCluster cluster, DbContextOptions<BlogContext> options)
    {
        _cluster = cluster;
        Options = options;
    }

    public DbContextOptions<BlogContext> Options { get; }

    public CommandLog Log { get; private init; } = new();

    /// <summary>Waits until a fresh context reads from a replica.</summary>
    public static async Task<RoutedBlogs> StartAsync(
        PostgresCluster cluster, Action<ReplicaOptionsBuilder>? configure = null, Action<DbContextOptionsBuilder<BlogContext>>? also = null)
    {
        var log = new CommandLog();
        var options = BlogContext.Options(cluster, configure);
        options.AddInterceptors(log);
        also?.Invoke(options);
        var blogs = new RoutedBlogs(cluster, options.Options) { Log = log };
        await blogs.UntilReplicasServeAsync();
        log.Clear();
        return blogs;
    }

    public BlogContext Context() => new(Options);

    /// <summary>Waits until a fresh context reads from a replica.</summary>
    public async Task UntilReplicasServeAsync()
    {
        var routing = new HashSet<string>();
        try
        {
            await Eventually.ThatAsync(
                async () =>
                {
                    await using var context = Context();
                    await context.Tags.CountAsync();
                    routing.Add($"{context.Database.LastRouting()} {context.Tags.ToRoutingString()}");
                    return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
                },
                _deadline,
                "a replica serves reads");
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"{exception.Message} {string.Join('\n', routing.TakeLast(20))}", exception);
        }
    }

    /// <summary>Asserts that commands ran, and all of them on standbys.</summary>
    public void RanOnReplicas(int? count = null)
    {
        Assert.NotEmpty(Log.Ports);
        Assert.All(Log.Ports, port => Assert.Contains(port, _cluster.Standbys.Select(s => s.Port)));
        Assert.Equal(count ?? Log.Ports.Count, Log.Ports.Count);
        Log.Clear();
    }

    /// <summary>Asserts that commands ran, and all of them on one and the same standby.</summary>
    public void RanOnOneReplica(int count)
    {
        Assert.Single(Log.Ports.Distinct());
        RanOnReplicas(count);
    }

    /// <summary>Asserts that commands ran, and all of them on the primary.</summary>
    public void RanOnPrimary(int? count = null)
    {
        Assert.NotEmpty(Log.Ports);
        Assert.All(Log.Ports, port => Assert.Equal(_cluster.Primary.Port, port));
        Assert.Equal(count ?? Log.Ports.Count, Log.Ports.Count);
        Log.Clear();
    }
}
