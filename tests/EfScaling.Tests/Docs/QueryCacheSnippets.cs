using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Tests.Docs;

/// <summary>The code that the README and docs/query-cache.md show, as it compiles. <see cref="QueryCacheDocumentationTests"/> compares them.</summary>
internal static class QueryCacheSnippets
{
    public static void Readme(DbContextOptionsBuilder options, string primary)
    {
        options
            .UseNpgsql(primary)
            .UseQueryCache(c => c.Redis("cache1:6379"));
    }

    public static void Register(IServiceCollection services, string primary, string replica)
    {
        services.AddDbContext<BlogContext>(options => options
            .UseNpgsql(primary)
            .UseReadReplicas(r => r.AddReplica(replica))
            .UseQueryCache(c => c.Redis("cache1:6379,password=…")));
    }

    public static async Task<List<Post>> QueryAsync(BlogContext db, int id)
    {
        var newest = await db.Posts
            .Where(p => p.BlogId == id)
            .OrderByDescending(p => p.Id)
            .Take(20)
            .Cacheable(TimeSpan.FromMinutes(10))
            .ToListAsync();
        return newest;
    }

    public static async Task<List<Post>> QueryOldAsync(BlogContext db)
    {
        var newest = await db.Posts
            .OrderByDescending(p => p.Id)
            .Take(20)
            .Cacheable()
            .StaleWhileRefilling(TimeSpan.FromSeconds(2))
            .ToListAsync();
        return newest;
    }

    public static void Stream(IServiceCollection services, string replicationConnectionString)
    {
        services.AddQueryCacheChangeStream<BlogContext>(replicationConnectionString);
    }

    public static async Task LikeAsync(BlogContext db, int post, int user)
    {
        using (db.Database.UseWrittenTables<Like>())
        {
            await db.Database.ExecuteSqlAsync($"""INSERT INTO "Likes" ("PostId", "UserId") VALUES ({post}, {user}) ON CONFLICT DO NOTHING""");
        }
    }

    public static async Task<List<Post>> RankAsync(BlogContext db)
    {
        var ranked = await db.Posts
            .FromSql($"""SELECT p.* FROM "Posts" AS p JOIN "Likes" AS l ON l."PostId" = p."Id" GROUP BY p."Id" ORDER BY count(*) DESC LIMIT 10""")
            .Cacheable()
            .DependsOnTable("Likes")
            .WithCacheTag("ranking")
            .ToListAsync();

        await db.Database.InvalidateCacheTagsAsync(["ranking"]);
        return ranked;
    }

    public static async Task<List<Post>> NewestWhenDown(BlogContext db)
    {
        var newest = await db.Posts
            .OrderByDescending(p => p.Id)
            .Take(20)
            .Cacheable(TimeSpan.FromHours(1))
            .ServeCachedWhenDown(TimeSpan.FromMinutes(10))
            .ToListAsync();

        return newest;
    }

    public static void Tenants(DbContextOptionsBuilder options, string primary)
    {
        options.UseNpgsql(primary).UseQueryCache(c => c
            .Redis("cache1:6379")
            .VaryBy(context => ((BlogContext)context).Tenant));
    }

    public static string Explain(BlogContext db)
    {
        string plan = db.Posts.Cacheable().ToRoutingString();   // cache redis cache1:6379: used, for 300 s, until a write to v:public.Posts …
        return plan;
    }

    public sealed class Post
    {
        public int Id { get; set; }

        public int BlogId { get; set; }
    }

    public sealed class Like
    {
        public int Id { get; set; }
    }

    public sealed class BlogContext(DbContextOptions<BlogContext> options) : DbContext(options)
    {
        public DbSet<Post> Posts => Set<Post>();

        public DbSet<Like> Likes => Set<Like>();

        public string Tenant { get; set; } = string.Empty;
    }
}
