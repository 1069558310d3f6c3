using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>What an application sees of the query cache when nothing goes wrong.</summary>
public sealed class QueryCacheTests(ClusterFixture fixture)
{
    [Fact]
    public async Task The_second_time_a_query_is_answered_without_a_command()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        await using var first = blogs.Context();
        var read = await first.Posts.Where(p => p.BlogId == 1).OrderBy(p => p.Id).Cacheable().ToListAsync();
        Assert.Single(blogs.Log.Sql);

        await using var second = blogs.Context();
        var cached = await second.Posts.Where(p => p.BlogId == 1).OrderBy(p => p.Id).Cacheable().ToListAsync();

        Assert.Single(blogs.Log.Sql);
        Assert.NotEmpty(read);
        Assert.Equal(read.Select(p => (p.Id, p.Title)), cached.Select(p => (p.Id, p.Title)));
        Assert.True(second.Database.LastRouting()!.Value.Cache is { IsHit: true });
        Assert.All(cached, p => Assert.Equal(EntityState.Unchanged, second.Entry(p).State));
    }

    [Fact]
    public async Task Whoever_reads_after_a_write_sees_it()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        var before = await context.Notes.Cacheable().CountAsync();
        Assert.Equal(before, await context.Notes.Cacheable().CountAsync());
        Assert.Equal(CacheOutcome.LocalHit, context.Database.LastRouting()!.Value.Cache!.Value.Outcome);

        context.Add(new Note { Text = "new" });
        await context.SaveChangesAsync();

        Assert.Equal(before + 1, await context.Notes.Cacheable().CountAsync());
        // A result reaches the store a moment after it was read.
        Assert.True(context.Database.LastRouting()!.Value.Cache!.Value.Outcome is CacheOutcome.Stale or CacheOutcome.Absent);
    }
}
