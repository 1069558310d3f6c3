using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A trigger writes to a table of which EF says nothing.</summary>
public sealed class CachedTriggerTests
{
    [Fact]
    public async Task What_a_trigger_writes_is_seen_by_queries_that_declare_its_table_and_by_others_once_they_are_told()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0 });
        await BlogContext.CreateSchemaAsync(cluster);
        await cluster.Primary.ExecuteAsync(
            """
            CREATE FUNCTION tag_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO "Tags" ("Name") VALUES (NEW."Text"); RETURN NEW; END $$;
            CREATE TRIGGER tag_note AFTER INSERT ON "Notes" FOR EACH ROW EXECUTE FUNCTION tag_note();
            """);
        await using var redis = await RedisServer.StartAsync();
        var blogs = await CachedBlogs.StartAsync(cluster, c => c.Redis(MarkedNotes.To(redis.Endpoint)));
        var notes = new MarkedNotes(cluster);
        await AreCachedAsync(blogs, DeclaredAsync);
        await AreCachedAsync(blogs, UndeclaredAsync);

        await notes.AddAsync(blogs);

        Assert.Equal(1, await CountAsync(blogs, DeclaredAsync));

        // Nobody knows what a trigger writes. The application is told of the table that has one, and tells of the table that it writes.
        Assert.Equal(0, await CountAsync(blogs, UndeclaredAsync));
        Assert.Contains(blogs.Events.Events, e => e.Id == EfScalingEventId.TablesHaveTriggers && e.Message.Contains("public.Notes", StringComparison.Ordinal));
        await using (var context = blogs.Context())
        {
            await context.Database.InvalidateCacheAsync<Tag>(TestContext.Current.CancellationToken);
        }

        Assert.Equal(1, await CountAsync(blogs, UndeclaredAsync));

        Task<int> DeclaredAsync(BlogContext context) => context.Tags.Where(t => t.Name == notes.Mark).Cacheable().DependsOnTable("Notes").CountAsync();

        Task<int> UndeclaredAsync(BlogContext context) => context.Tags.Where(t => t.Name == notes.Mark).Cacheable().CountAsync();
    }

    private static async Task<int> CountAsync(CachedBlogs blogs, Func<BlogContext, Task<int>> query)
    {
        await using var context = blogs.Context();
        return await query(context);
    }

    private static Task AreCachedAsync(CachedBlogs blogs, Func<BlogContext, Task<int>> query) => Eventually.ThatAsync(
        async () =>
        {
            await using var context = blogs.Context();
            Assert.Equal(0, await query(context));
            return context.Database.LastRouting()!.Value.Cache is { IsHit: true };
        },
        MarkedNotes.Patience,
        "the tags to be cached");
}
