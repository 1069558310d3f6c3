using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Routing;

/// <summary>Every way EF Core reads, run through the router: the rows are right, and the server that answered is the one that should.</summary>
public sealed class QueryFeatureTests(ClusterFixture fixture)
{
    private static readonly Func<BlogContext, int, Task<Blog?>> _blogById =
        EF.CompileAsyncQuery((BlogContext context, int id) => context.Blogs.AsNoTracking().FirstOrDefault(b => b.Id == id));

    private static readonly Func<BlogContext, int, Task<Blog?>> _blogByIdOnPrimary =
        EF.CompileAsyncQuery((BlogContext context, int id) => context.Blogs.AsPrimary().FirstOrDefault(b => b.Id == id));

    private static readonly Func<BlogContext, int> _countWithLimit =
        EF.CompileQuery((BlogContext context) => context.Blogs.WithMaxStaleness(TimeSpan.FromMinutes(1)).Count());

    [Fact]
    public async Task Lists_scalars_and_aggregates_leave_the_primary()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        Assert.Equal(4, (await context.Posts.AsNoTracking().Where(p => p.BlogId == 1).ToListAsync()).Count);
        Assert.Equal(3, await context.Blogs.CountAsync());
        Assert.True(await context.Blogs.AnyAsync(b => b.Name == "blog 2"));
        Assert.Equal(12, await context.Posts.SumAsync(p => 1));
        Assert.Equal("blog 1", await context.Blogs.OrderBy(b => b.Id).Select(b => b.Name).FirstAsync());

        blogs.RanOnOneReplica(5);
    }

    [Fact]
    public async Task Synchronous_reads_leave_the_primary()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        using var context = blogs.Context();

        Assert.Equal(4, context.Posts.AsNoTracking().Where(p => p.BlogId == 1).ToList().Count);
        Assert.Equal(3, context.Blogs.Count());
        Assert.Equal("blog 1", context.Blogs.Find(1)!.Name);

        blogs.RanOnOneReplica(3);
    }

    [Fact]
    public async Task Include_in_one_query_and_in_several_reads_one_replica()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var single = blogs.Context();
        var blog = await single.Blogs.Include(b => b.Posts).ThenInclude(p => p.Tags).OrderBy(b => b.Id).FirstAsync();
        Assert.Equal(4, blog.Posts.Count);
        Assert.All(blog.Posts, p => Assert.Single(p.Tags));
        blogs.RanOnOneReplica(1);

        await using var split = blogs.Context();
        blog = await split.Blogs.Include(b => b.Posts).ThenInclude(p => p.Tags).OrderBy(b => b.Id).AsSplitQuery().FirstAsync();
        Assert.Equal(4, blog.Posts.Count);
        Assert.All(blog.Posts, p => Assert.Single(p.Tags));
        Assert.Equal(RoutingReason.PartOfRead, split.Database.LastRouting()!.Value.Reason);
        blogs.RanOnOneReplica(3);
    }

    [Fact]
    public async Task Split_query_on_the_primary_stays_there_whole()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        var all = await context.Blogs.AsPrimary().Include(b => b.Posts).ThenInclude(p => p.Tags).AsSplitQuery().ToListAsync();

        Assert.Equal(12, all.Sum(b => b.Posts.Count));
        blogs.RanOnPrimary(3);
    }

    [Fact]
    public async Task Streaming_reads_a_replica_and_opens_no_connection_to_the_primary()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        var titles = new List<string>();

        await foreach (var post in context.Posts.AsNoTracking().OrderBy(p => p.Id).AsAsyncEnumerable())
        {
            titles.Add(post.Title);
            Assert.Equal(System.Data.ConnectionState.Closed, context.Database.GetDbConnection().State);
        }

        Assert.Equal(12, titles.Count);
        blogs.RanOnReplicas(1);
    }

    [Fact]
    public async Task Reading_while_a_reader_is_open_behaves_as_on_one_connection()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        // Plain EF over Npgsql refuses this too; a router that took another connection would hide the mistake until the next version of a query.
        await Assert.ThrowsAsync<Npgsql.NpgsqlOperationInProgressException>(async () =>
        {
            await foreach (var _ in context.Posts.AsNoTracking().AsAsyncEnumerable())
            {
                await context.Blogs.CountAsync();
            }
        });

        Assert.Equal(3, await context.Blogs.CountAsync());
    }

    [Fact]
    public async Task Find_and_explicit_loading_read_a_replica_and_scopes_bring_them_to_the_primary()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        var blog = await context.Blogs.FindAsync(1);
        await context.Entry(blog!).Collection(b => b.Posts).LoadAsync();
        Assert.Equal(4, blog!.Posts.Count);
        Assert.Equal(4, await context.Entry(blog).Collection(b => b.Posts).Query().CountAsync());
        blogs.RanOnOneReplica(3);

        using (context.Database.UsePrimary())
        {
            Assert.NotNull(await context.Blogs.FindAsync(2));
            Assert.Equal(RoutingReason.PrimaryRequested, context.Database.LastRouting()!.Value.Reason);
        }

        blogs.RanOnPrimary(1);
    }

    [Fact]
    public async Task Lazy_loading_reads_the_replica_of_its_parent()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        var shelf = await context.Shelves.SingleAsync();
        Assert.Equal(["first", "second"], shelf.Books.Select(b => b.Title).Order());

        blogs.RanOnOneReplica(2);
    }

    [Fact]
    public async Task Query_filters_owned_types_and_json_are_right_on_a_replica()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        var blog = await context.Blogs.AsNoTracking().SingleAsync(b => b.Author.Name == "author 2" && b.Settings.Theme == "dark");
        Assert.Equal("blog 2", blog.Name);
        Assert.Equal("dark", blog.Settings.Theme);
        Assert.Equal(12, await context.Posts.CountAsync());
        Assert.Equal(13, await context.Posts.IgnoreQueryFilters().CountAsync());

        blogs.RanOnOneReplica(3);
    }

    [Fact]
    public async Task Compiled_queries_are_routed_with_their_operators()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        Assert.Equal("blog 1", (await _blogById(context, 1))!.Name);
        Assert.Equal("blog 2", (await _blogById(context, 2))!.Name);
        Assert.Equal(3, _countWithLimit(context));
        blogs.RanOnOneReplica(3);

        Assert.Equal("blog 3", (await _blogByIdOnPrimary(context, 3))!.Name);
        blogs.RanOnPrimary(1);
    }

    [Fact]
    public async Task Contexts_with_a_ready_model_are_routed()
    {
        await using var builder = new BlogContext(BlogContext.Options(fixture.Cluster).Options);
        var model = builder.Model;
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster, also: o => o.UseModel(model));
        await using var context = blogs.Context();

        Assert.Equal("blog 1", (await context.Blogs.SingleAsync(b => b.Id == 1)).Name);

        blogs.RanOnReplicas(1);
    }

    [Fact]
    public async Task Execution_strategy_buffers_and_still_reads_replicas()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster, also: o => o.UseNpgsql(n => n.EnableRetryOnFailure()));
        await using var context = blogs.Context();

        Assert.Equal(3, (await context.Blogs.Include(b => b.Posts).AsSplitQuery().ToListAsync()).Count);
        blogs.RanOnOneReplica(2);

        await context.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            await using var transaction = await context.Database.BeginTransactionAsync();
            Assert.Equal(3, await context.Blogs.CountAsync());
            await transaction.CommitAsync();
        });
        blogs.RanOnPrimary(1);
    }

    [Fact]
    public async Task Operators_choose_the_server()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using (var context = blogs.Context())
        {
            await context.Blogs.AsPrimary().CountAsync();
            Assert.Equal(RoutingReason.PrimaryRequested, context.Database.LastRouting()!.Value.Reason);
            blogs.RanOnPrimary(1);
        }

        await using (var context = blogs.Context())
        {
            await context.Blogs.WithMaxStaleness(TimeSpan.Zero).CountAsync();
            Assert.Equal(RoutingReason.PrimaryRequested, context.Database.LastRouting()!.Value.Reason);
            blogs.RanOnPrimary(1);
        }

        await using (var context = blogs.Context())
        using (context.Database.UseMaxStaleness(TimeSpan.Zero))
        {
            using (context.Database.UseMaxStaleness(TimeSpan.FromMinutes(1)))
            {
                await context.Blogs.CountAsync();
                blogs.RanOnReplicas(1);
            }

            await context.Blogs.WithMaxStaleness(TimeSpan.FromMinutes(1)).CountAsync();
            blogs.RanOnReplicas(1);
            await context.Blogs.CountAsync();
            blogs.RanOnPrimary(1);
        }
    }

    [Fact]
    public async Task Routing_string_names_every_node_and_runs_nothing()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        await Eventually.ThatAsync(
            () =>
            {
                var routing = context.Blogs.Where(b => b.Id == 1).ToRoutingString();
                return fixture.Cluster.Standbys.All(s => routing.Contains($"{s.Host}:{s.Port}: Fresh", StringComparison.Ordinal));
            },
            TimeSpan.FromSeconds(10),
            "both replicas are named as fresh");
        Assert.Contains("UnknownFunction", context.Blogs.Where(b => BlogContext.Doubled(b.Id) == 2).ToRoutingString(), StringComparison.Ordinal);
        Assert.Empty(blogs.Log.Ports);
        Assert.Null(context.Database.LastRouting());
    }

    [Fact]
    public async Task Cancelled_query_throws_and_leaves_the_replica_in_good_standing()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => context.Blogs.Select(b => BlogContext.Slow(30)).FirstAsync(soon.Token));
        blogs.RanOnReplicas(1);

        await using var next = blogs.Context();
        await next.Blogs.CountAsync();
        blogs.RanOnReplicas(1);
    }

    [Fact]
    public async Task Command_timeout_of_the_context_holds_on_a_replica_and_is_not_spent_twice()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        context.Database.SetCommandTimeout(1);
        var started = TimeProvider.System.GetTimestamp();

        var exception = await Assert.ThrowsAnyAsync<Exception>(() => context.Blogs.Select(b => BlogContext.Slow(30)).FirstAsync());

        Assert.IsType<TimeoutException>(exception.GetBaseException());
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.FromSeconds(0.9), TimeSpan.FromSeconds(6));
        blogs.RanOnReplicas(1);
        await using var next = blogs.Context();
        await next.Blogs.CountAsync();
        blogs.RanOnReplicas(1);
    }

    [Fact]
    public async Task Read_inside_a_loop_over_a_buffered_query_has_its_own_timeout()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster, also: o => o.UseNpgsql(n => n.EnableRetryOnFailure()));
        await using var context = blogs.Context();
        context.Database.SetCommandTimeout(1);

        foreach (var blog in context.Blogs.AsNoTracking().Take(1))
        {
            context.Database.SetCommandTimeout(30);
            Assert.Equal(2, await context.Blogs.Select(b => BlogContext.Slow(2)).FirstAsync());
        }

        blogs.RanOnOneReplica(2);
    }
}
