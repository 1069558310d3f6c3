using System.Text.Json;
using System.Text.Json.Serialization;
using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A write is seen by every query that can show it, whatever lies between the entity and the rows.</summary>
public sealed class CacheDependencyTests(ClusterFixture fixture)
{
    private static readonly JsonSerializerOptions _json = new() { ReferenceHandler = ReferenceHandler.IgnoreCycles };
    private static int _id;

    private static readonly Dictionary<string, (Func<ShapesContext, Task<object>> Read, Func<ShapesContext, Task> Write)> _shapes = new()
    {
        ["TPH, derived"] = (async c => await c.Set<Cat>().OrderBy(a => a.Id).Cacheable().ToListAsync(), c => AddAsync(c, new Cat { Name = "new" })),
        ["TPH, base"] = (async c => await c.Set<Animal>().Cacheable().CountAsync(), async c => await c.Set<Cat>().Where(a => a.Name == "Tom").ExecuteDeleteAsync()),
        ["TPT, derived table"] = (async c => (await c.Set<Vehicle>().OrderBy(v => v.Id).Cacheable().ToListAsync()).ToArray<object>(), async c => (await c.Set<Car>().FirstAsync()).Doors++),
        ["TPT, base table"] = (async c => await c.Set<Car>().OrderBy(v => v.Id).Cacheable().ToListAsync(), async c => (await c.Set<Car>().FirstAsync()).Name += "'"),
        ["TPC"] = (async c => await c.Set<Payment>().Cacheable().CountAsync(), c => AddAsync(c, new CardPayment { Card = "new", Amount = 2 })),
        ["owned, other table"] = (async c => await c.Set<Order>().OrderBy(o => o.Id).Cacheable().ToListAsync(), async c => (await c.Set<Order>().FirstAsync()).Address.City += "'"),
        ["owned collection"] = (async c => await c.Set<Order>().OrderBy(o => o.Id).Cacheable().ToListAsync(), async c => (await c.Set<Order>().FirstAsync()).Lines.Add(new Line { Text = "new" })),
        ["join table"] = (
            async c => await c.Set<Student>().Include(s => s.Courses.OrderBy(x => x.Id)).OrderBy(s => s.Id).Cacheable().ToListAsync(),
            async c => (await c.Set<Student>().FirstAsync()).Courses.Add(await c.Set<Course>().FirstAsync(x => x.Title == "two"))),
        ["split table"] = (
            async c => await c.Set<OrderDetails>().OrderBy(d => d.Id).Cacheable().ToListAsync(),
            async c => (await c.Set<Order>().Include(o => o.Details).FirstAsync()).Details.Remark += "'"),
        ["view"] = (async c => await c.Set<OrderName>().OrderBy(o => o.Id).Cacheable().ToListAsync(), async c => (await c.Set<Order>().FirstAsync()).Name += "'"),
        ["materialised view"] = (
            async c => await c.Set<KeptOrder>().OrderBy(o => o.Id).Cacheable().ToListAsync(),
            async c =>
            {
                await c.Set<Order>().ExecuteUpdateAsync(s => s.SetProperty(o => o.Name, o => o.Name + "'"));
                await c.Database.ExecuteSqlRawAsync("REFRESH MATERIALIZED VIEW kept_orders");
            }),
        ["partition by its parent"] = (async c => await c.Set<FirstMeasure>().Cacheable().ToListAsync(), c => c.Set<Measure>().ExecuteUpdateAsync(s => s.SetProperty(m => m.Value, m => m.Value + 1))),
        ["parent by its partition"] = (async c => await c.Set<Measure>().Cacheable().ToListAsync(), async c => (await c.Set<FirstMeasure>().SingleAsync()).Value++),
        ["cascade"] = (async c => await c.Set<Child>().Cacheable().CountAsync(), c => c.Set<Parent>().ExecuteDeleteAsync()),
        ["SET NULL"] = (async c => await c.Set<Orphan>().OrderBy(o => o.Id).Cacheable().ToListAsync(), async c => c.RemoveRange(await c.Set<Parent>().ToListAsync())),
        ["TRUNCATE"] = (async c => await c.Set<Course>().Cacheable().CountAsync(), c => c.Database.ExecuteSqlRawAsync("TRUNCATE \"Course\" CASCADE")),
    };

    public static TheoryData<string> Shapes => [.. _shapes.Keys];

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task Shows_the_write(string shape)
    {
        var shapes = await StartAsync();
        await AddFamilyAsync(shapes);
        var before = await CachedAsync(shapes, _shapes[shape].Read);
        await using (var context = new ShapesContext(shapes))
        {
            await _shapes[shape].Write(context);
            await context.SaveChangesAsync();
        }

        var after = await TextAsync(shapes, _shapes[shape].Read);
        Assert.Equal(await TruthAsync(_shapes[shape].Read), after);
        Assert.NotEqual(before, after);
    }

    [Theory]
    [InlineData("SQL")]
    [InlineData("migration")]
    public async Task A_foreign_key_that_comes_later_is_followed(string way)
    {
        var shapes = await StartAsync();
        await using (var context = new ShapesContext(shapes))
        {
            await context.Database.ExecuteSqlRawAsync("ALTER TABLE late_children DROP CONSTRAINT IF EXISTS late; TRUNCATE late_children");
        }

        await AddFamilyAsync(shapes);
        Task<object> CountAsync(ShapesContext c) => BoxAsync(c.Set<LateChild>().Cacheable().CountAsync());
        await CachedAsync(shapes, CountAsync);
        await using (var context = new ShapesContext(shapes))
        {
            await (way == "SQL"
                ? context.Database.ExecuteSqlRawAsync("ALTER TABLE late_children ADD CONSTRAINT late FOREIGN KEY (\"ParentId\") REFERENCES parents ON DELETE CASCADE")
                : context.Database.MigrateAsync());
        }

        Assert.NotEqual("0", await CachedAsync(shapes, CountAsync));
        await using (var context = new ShapesContext(shapes))
        {
            await context.Set<Parent>().ExecuteDeleteAsync();
        }

        Assert.Equal("0", await TextAsync(shapes, CountAsync));
    }

    [Fact]
    public async Task A_view_that_is_made_anew_is_followed()
    {
        var shapes = await StartAsync();
        static Task<object> CountAsync(ShapesContext c) => BoxAsync(c.Set<OrderName>().Cacheable().CountAsync());
        await CachedAsync(shapes, CountAsync);
        await using (var context = new ShapesContext(shapes))
        {
            await context.Database.ExecuteSqlRawAsync("CREATE OR REPLACE VIEW order_view AS SELECT \"Id\", \"Mark\" AS \"Name\" FROM \"Blobs\"");
            try
            {
                Assert.Equal(await TruthAsync(CountAsync), await CachedAsync(shapes, CountAsync));
                await AddAsync(context, new Blob { Mark = "seen through the view" });
                await context.SaveChangesAsync();
                Assert.Equal(await TruthAsync(CountAsync), await TextAsync(shapes, CountAsync));
            }
            finally
            {
                await context.Database.ExecuteSqlRawAsync("CREATE OR REPLACE VIEW order_view AS SELECT \"Id\", \"Name\" FROM \"Orders\"");
            }
        }
    }

    [Theory]
    [InlineData("SET statement_timeout = '1min';\n", "")]
    [InlineData("", " -- end")]
    [InlineData("/* begin */ ", "")]
    public async Task What_an_interceptor_made_of_the_SQL_is_not_kept(string before, string after)
    {
        var rewriter = new RewritingInterceptor();
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster, also: o => o.AddInterceptors(rewriter));
        rewriter.Rewrite = sql => before + sql + after;
        for (var i = 1; i <= 3; i++)
        {
            Assert.Equal(CacheOutcome.Absent, await blogs.OutcomeAsync(c => c.Notes.Where(n => n.Id == -7).Cacheable().ToListAsync()));
            Assert.Equal(i, blogs.Log.Sql.Count);
        }

        rewriter.Rewrite = sql => sql;
        await blogs.OutcomeAsync(c => c.Notes.Where(n => n.Id == -7).Cacheable().ToListAsync());
        Assert.Equal(CacheOutcome.LocalHit, await blogs.OutcomeAsync(c => c.Notes.Where(n => n.Id == -7).Cacheable().ToListAsync()));
    }

    private string ConnectionString => fixture.Cluster.Primary.GetConnectionString("cache_shapes");

    private static Task AddAsync(ShapesContext context, object entity)
    {
        context.Add(entity);
        return Task.CompletedTask;
    }

    private static async Task<object> BoxAsync(Task<int> count) => await count;

    private static async Task AddFamilyAsync(DbContextOptions<ShapesContext> options)
    {
        await using var context = new ShapesContext(options);
        var id = ++_id;
        context.Add(new Parent { Id = id });
        await context.SaveChangesAsync();
        context.AddRange(new Child { Id = id, ParentId = id }, new Orphan { Id = id, ParentId = id }, new LateChild { Id = id, ParentId = id });
        await context.SaveChangesAsync();
    }

    private static async Task<string> TextAsync(DbContextOptions<ShapesContext> options, Func<ShapesContext, Task<object>> read)
    {
        await using var context = new ShapesContext(options);
        return JsonSerializer.Serialize(await read(context), _json);
    }

    private static async Task<string> CachedAsync(DbContextOptions<ShapesContext> options, Func<ShapesContext, Task<object>> read)
    {
        string? text = null;
        CacheDecision? last = null;
        try
        {
            await Eventually.ThatAsync(
                async () =>
                {
                    await using var context = new ShapesContext(options);
                    text = JsonSerializer.Serialize(await read(context), _json);
                    last = context.Database.LastRouting()!.Value.Cache;
                    return last is { IsHit: true };
                },
                MarkedNotes.Patience,
                "the query to be cached");
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"{exception.Message} {last}", exception);
        }

        return text!;
    }

    private Task<string> TruthAsync(Func<ShapesContext, Task<object>> read) => TextAsync(ShapesContext.Options(ConnectionString).Options, read);

    private async Task<DbContextOptions<ShapesContext>> StartAsync()
    {
        await ShapesContext.CreateAsync(ConnectionString);
        return ShapesContext.Options(ConnectionString).UseQueryCache(c => c.Store(new MemoryCacheStore())).Options;
    }
}
