using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Benchmarks.Servers;

/// <summary>One way in which an application comes by the context of a query.</summary>
/// <param name="Name">What the result table calls it.</param>
/// <param name="Rent">Returns the context.</param>
/// <param name="IsKept">Whether the context outlives the query.</param>
internal sealed record ContextStyle(string Name, Func<ItemContext> Rent, bool IsKept = false)
{
    /// <summary>Plain EF straight on the first standby.</summary>
    public static IReadOnlyList<ContextStyle> Plain(ItemServers servers)
    {
        var standby = servers.Cluster.Standbys[0].ConnectionString;
        return All(ItemServers.Options(standby), () => new SelfConfiguredContext(standby, []));
    }

    /// <summary>The same queries, routed to the first standby by a context of the primary.</summary>
    public static IReadOnlyList<ContextStyle> Routed(ItemServers servers)
    {
        var primary = servers.Cluster.Primary.ConnectionString;
        string[] replicas = [servers.Cluster.Standbys[0].ConnectionString];
        return All(servers.RoutedOptions(replicas: 1), () => new SelfConfiguredContext(primary, replicas));
    }

    private static ContextStyle[] All(DbContextOptions<ItemContext> options, Func<ItemContext> selfConfigured)
    {
        var pool = new PooledDbContextFactory<ItemContext>(options);
        var kept = new ItemContext(options);
        return
        [
            new("kept context", () => kept, IsKept: true),
            new("pooled context", pool.CreateDbContext),
            new("new context, shared options", () => new ItemContext(options)),
            new("new context, OnConfiguring", selfConfigured),
        ];
    }
}
