using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Contexts over a cluster with a query cache that is in use, as one process of an application has them.</summary>
public sealed class CachedBlogs
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(20);

    private CachedBlogs(DbContextOptions<BlogContext> options, CommandLog log, EventLog events) => (Options, Log, Events) = (options, log, events);

    public DbContextOptions<BlogContext> Options { get; }

    /// <summary>What really ran in a database.</summary>
    public CommandLog Log { get; }

    public EventLog Events { get; }

    /// <summary>Makes the options, and waits until a query is answered by the cache.</summary>
    /// <param name="cluster">The servers. Its standbys are used only if <paramref name="also"/> says so.</param>
    /// <param name="configure">Sets up the cache; <see langword="null"/> for one in memory.</param>
    /// <param name="also">Sets up more, after UseNpgsql and before UseQueryCache.</param>
    public static async Task<CachedBlogs> StartAsync(
        PostgresCluster cluster, Action<QueryCacheOptionsBuilder>? configure = null, Action<DbContextOptionsBuilder<BlogContext>>? also = null)
    {
        var blogs = Create(cluster, configure, also);
        await blogs.UntilInUseAsync();
        return blogs;
    }

    /// <summary>Makes the options alone.</summary>
    public static CachedBlogs Create(
        PostgresCluster cluster, Action<QueryCacheOptionsBuilder>? configure = null, Action<DbContextOptionsBuilder<BlogContext>>? also = null)
    {
        var (log, events) = (new CommandLog(), new EventLog());
        var options = new DbContextOptionsBuilder<BlogContext>()
            .UseNpgsql(cluster.Primary.ConnectionString)
            .UseLoggerFactory(events)
            .AddInterceptors(log);
        also?.Invoke((DbContextOptionsBuilder<BlogContext>)options);
        options.UseQueryCache(configure);
        return new CachedBlogs((DbContextOptions<BlogContext>)options.Options, log, events);
    }

    public BlogContext Context() => new(Options);

    /// <summary>Waits until a query is answered by the cache.</summary>
    public async Task UntilInUseAsync()
    {
        CacheDecision? last = null;
        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = Context();
                await context.Tags.Where(t => t.Id == -1).Cacheable(TimeSpan.FromMinutes(1)).ToListAsync();
                last = context.Database.LastRouting()!.Value.Cache;
                return last is { IsHit: true };
            },
            _deadline,
            "the cache is in use");
        Log.Clear();
    }

    /// <summary>Returns what the cache did for a query.</summary>
    public async Task<CacheOutcome?> OutcomeAsync<T>(Func<BlogContext, Task<T>> query)
    {
        await using var context = Context();
        await query(context);
        return context.Database.LastRouting()!.Value.Cache?.Outcome;
    }
}
