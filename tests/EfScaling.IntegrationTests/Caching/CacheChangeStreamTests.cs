using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>What the application's contexts did not write makes cached results old as well, when the change stream runs.</summary>
public sealed class CacheChangeStreamTests
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Triggers_and_other_applications_make_results_old()
    {
        await using var cluster = await PostgresCluster.StartAsync(
            new PostgresClusterOptions { Standbys = 0, Settings = new Dictionary<string, string> { ["wal_level"] = "logical" } });
        await BlogContext.CreateSchemaAsync(cluster);
        await cluster.Primary.ExecuteAsync(
            """
            CREATE FUNCTION tag_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO "Tags" ("Name") VALUES (NEW."Text"); RETURN NEW; END $$;
            CREATE TRIGGER tag_note AFTER INSERT ON "Notes" FOR EACH ROW EXECUTE FUNCTION tag_note();
            """);
        await using var redis = await RedisServer.StartAsync();
        var blogs = CachedBlogs.Create(cluster, c => c.Redis(redis.Endpoint));
        var services = new ServiceCollection();
        services.AddSingleton<IDbContextFactory<BlogContext>>(new Factory(blogs));
        services.AddQueryCacheChangeStream<BlogContext>(cluster.Primary.ConnectionString);
        await using var provider = services.BuildServiceProvider();
        var stream = provider.GetRequiredService<IHostedService>();
        await stream.StartAsync(CancellationToken.None);
        await blogs.UntilInUseAsync();
        var tags = await CachedTagsAsync(blogs);

        await using (var context = blogs.Context())
        {
            context.Add(new Note { Text = "by trigger" });
            await context.SaveChangesAsync();
        }

        await Eventually.ThatAsync(async () => await TagsAsync(blogs) == tags + 1, _deadline, "what the trigger wrote is seen");
        await CachedTagsAsync(blogs);
        await cluster.Primary.ExecuteAsync("INSERT INTO \"Tags\" (\"Name\") VALUES ('by another application')");

        await Eventually.ThatAsync(async () => await TagsAsync(blogs) == tags + 2, _deadline, "what another application wrote is seen");
        await stream.StopAsync(CancellationToken.None);
        Assert.Contains(blogs.Events.Events, e => e.Id == EfScalingEventId.TablesHaveTriggers && e.Message.Contains("public.Notes", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(false, "without a query cache")]
    [InlineData(true, "in the memory of the process")]
    public async Task Context_without_a_cache_that_instances_share_is_refused_and_stops_nothing(bool hasCache, string words)
    {
        var log = new EventLog();
        var services = new ServiceCollection();
        services.AddSingleton<ILoggerFactory>(log);
        services.AddDbContextFactory<BlogContext>(o => _ = hasCache ? o.UseNpgsql("Host=nowhere.invalid").UseQueryCache() : o.UseNpgsql("Host=nowhere.invalid"));
        services.AddQueryCacheChangeStream<BlogContext>("Host=nowhere.invalid");
        await using var provider = services.BuildServiceProvider();
        var stream = (BackgroundService)provider.GetRequiredService<IHostedService>();

        await stream.StartAsync(CancellationToken.None);
        await Eventually.ThatAsync(() => log.Count(EfScalingEventId.ChangeStreamRefused) > 0, _deadline, "the context to be refused");

        Assert.False(stream.ExecuteTask!.IsCompleted);
        Assert.Contains(log.Events, e => e.Message.Contains(words, StringComparison.Ordinal) && e.Message.Contains("UseQueryCache(", StringComparison.Ordinal));
        await stream.StopAsync(CancellationToken.None);
    }

    private static async Task<int> CachedTagsAsync(CachedBlogs blogs)
    {
        var count = 0;
        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = blogs.Context();
                count = await context.Tags.Cacheable().CountAsync();
                return context.Database.LastRouting()!.Value.Cache is { IsHit: true };
            },
            _deadline,
            "the tags are cached");
        return count;
    }

    private static async Task<int> TagsAsync(CachedBlogs blogs)
    {
        await using var context = blogs.Context();
        return await context.Tags.Cacheable().CountAsync();
    }

    private sealed class Factory(CachedBlogs blogs) : IDbContextFactory<BlogContext>
    {
        public BlogContext CreateDbContext() => blogs.Context();
    }
}
