using System.Text.Json;
using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Every shape of query gives the same from the database, when it fills the cache, and from the cache, without a command.</summary>
public sealed class CachedShapeTests(ClusterFixture fixture)
{
    private static readonly JsonSerializerOptions _json = new() { ReferenceHandler = System.Text.Json.Serialization.ReferenceHandler.IgnoreCycles };

    private static readonly Dictionary<string, Func<BlogContext, Task<object?>>> _shapes = new()
    {
        ["tracking"] = async c => await c.Posts.OrderBy(p => p.Id).Cacheable().ToListAsync(),
        ["no tracking"] = async c => await c.Posts.AsNoTracking().OrderBy(p => p.Id).Cacheable().ToListAsync(),
        ["identity resolution"] = async c => await c.Posts.Include(p => p.Blog).AsNoTrackingWithIdentityResolution().OrderBy(p => p.Id).Cacheable().ToListAsync(),
        ["projection"] = async c => await c.Posts.OrderBy(p => p.Id).Select(p => new { p.Title, Blog = p.Blog!.Name }).Cacheable().ToListAsync(),
        ["scalar"] = async c => await c.Posts.OrderBy(p => p.Id).Select(p => p.Title).Cacheable().FirstAsync(),
        ["parameters"] = async c => await Titled(c, "post 1.1").CountAsync(),
        ["Include"] = async c => await c.Blogs.Include(b => b.Posts.OrderBy(p => p.Id)).ThenInclude(p => p.Tags.OrderBy(t => t.Id)).OrderBy(b => b.Id).Cacheable().ToListAsync(),
        ["split query"] = async c => await c.Blogs.Include(b => b.Posts.OrderBy(p => p.Id)).AsSplitQuery().OrderBy(b => b.Id).Cacheable().ToListAsync(),
        ["owned and JSON"] = async c => await c.Blogs.OrderBy(b => b.Id).Cacheable().ToListAsync(),
        ["Count"] = async c => await c.Posts.Cacheable().CountAsync(),
        ["Any"] = async c => await c.Posts.Cacheable().AnyAsync(p => p.Title == "post 1.2"),
        ["Max"] = async c => await c.Posts.Cacheable().MaxAsync(p => p.Id),
        ["Single of nothing"] = async c => await c.Posts.Cacheable().SingleOrDefaultAsync(p => p.Id == -1),
        ["First"] = async c => await c.Posts.Cacheable().OrderBy(p => p.Id).FirstAsync(),
        ["GroupBy"] = async c => await c.Posts.GroupBy(p => p.BlogId).Select(g => new { g.Key, Count = g.Count() }).OrderBy(g => g.Key).Cacheable().ToListAsync(),
        ["Contains of a list"] = async c => await Among(c, [1, 2]).ToListAsync(),
        ["skip and take"] = async c => await c.Posts.OrderBy(p => p.Id).Skip(2).Take(3).Cacheable().ToListAsync(),
        ["union"] = async c => await c.Blogs.Select(b => b.Name).Union(c.Tags.Select(t => t.Name)).OrderBy(n => n).Cacheable().ToListAsync(),
        ["synchronous list"] = c => Task.FromResult<object?>(c.Posts.OrderBy(p => p.Id).Cacheable().ToList()),
        ["synchronous count"] = c => Task.FromResult<object?>(c.Posts.Cacheable().Count()),
        ["streaming"] = async c =>
        {
            var titles = new List<string>();
            await foreach (var post in c.Posts.OrderBy(p => p.Id).Cacheable().AsAsyncEnumerable())
            {
                titles.Add(post.Title);
            }

            return titles;
        },
        ["SQL with a declared table"] = async c => await c.Tags.FromSqlRaw("SELECT * FROM \"Tags\"").DependsOnTable("Tags").OrderBy(t => t.Id).Cacheable().ToListAsync(),
        ["SQL that is not composed"] = async c => await c.Tags.FromSqlRaw("SELECT \"Name\", \"Id\", '0'::xid AS xmin FROM \"Tags\" ORDER BY 2").DependsOnTable("Tags").Cacheable().ToListAsync(),
    };

    public static TheoryData<string> Shapes => [.. _shapes.Keys];

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task Gives_the_same_from_the_database_and_from_the_cache(string shape)
    {
        await using var plain = new BlogContext(new DbContextOptionsBuilder<BlogContext>().UseNpgsql(fixture.Cluster.Primary.ConnectionString).Options);
        var expected = JsonSerializer.Serialize(await _shapes[shape](plain), _json);
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);

        Assert.Equal(expected, await RunAsync(blogs, shape));
        Assert.NotEmpty(blogs.Log.Sql);
        blogs.Log.Clear();

        Assert.Equal(expected, await RunAsync(blogs, shape));
        Assert.Empty(blogs.Log.Sql);
    }

    [Fact]
    public async Task A_compiled_query_says_Cacheable_inside()
    {
        var list = EF.CompileAsyncQuery((BlogContext c, int id) => c.Posts.Where(p => p.BlogId == id).OrderBy(p => p.Id).Select(p => p.Title).Cacheable(null, false));
        var count = EF.CompileAsyncQuery((BlogContext c, int id) => c.Posts.Cacheable(new TimeSpan(0, 1, 0), false).Count(p => p.BlogId == id));
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        for (var i = 0; i < 2; i++)
        {
            await using var context = blogs.Context();
            var titles = new List<string>();
            await foreach (var title in list(context, 1))
            {
                titles.Add(title);
            }

            Assert.Equal(i == 0 ? CacheOutcome.Absent : CacheOutcome.LocalHit, context.Database.LastRouting()!.Value.Cache!.Value.Outcome);
            Assert.Equal(4, titles.Count);
            Assert.Equal(4, await count(context, 2));
            Assert.Equal(i == 0 ? CacheOutcome.Absent : CacheOutcome.LocalHit, context.Database.LastRouting()!.Value.Cache!.Value.Outcome);
        }

        Assert.Equal(2, blogs.Log.Sql.Count);
    }

    [Fact]
    public async Task Goes_through_the_store_for_every_shape()
    {
        await using var redis = await RedisServer.StartAsync();
        var writer = await CachedBlogs.StartAsync(fixture.Cluster, c => c.Redis(redis.Endpoint));
        var reader = await CachedBlogs.StartAsync(fixture.Cluster, c => c.Redis(redis.Endpoint).LocalMemory(0));
        foreach (var shape in _shapes.Keys)
        {
            var expected = await RunAsync(writer, shape);
            await Eventually.ThatAsync(
                async () =>
                {
                    reader.Log.Clear();
                    Assert.Equal(expected, await RunAsync(reader, shape));
                    return reader.Log.Sql.Count == 0;
                },
                TimeSpan.FromSeconds(10),
                $"'{shape}' is answered by the store");
        }
    }

    private static async Task<string> RunAsync(CachedBlogs blogs, string shape)
    {
        await using var context = blogs.Context();
        var result = JsonSerializer.Serialize(await _shapes[shape](context), _json);
        Assert.Equal(System.Data.ConnectionState.Closed, context.Database.GetDbConnection().State);
        return result;
    }

    private static IQueryable<Post> Titled(BlogContext context, string title) => context.Posts.Where(p => p.Title == title).Cacheable();

    private static IQueryable<Post> Among(BlogContext context, int[] ids) => context.Posts.Where(p => ids.Contains(p.BlogId)).OrderBy(p => p.Id).Cacheable();
}
