using System.Transactions;
using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Queries that the cache must not answer run in the database, and say why.</summary>
public sealed class CacheBypassTests(ClusterFixture fixture)
{
    private static readonly Dictionary<string, (CacheOutcome Outcome, Func<BlogContext, Task> Query)> _queries = new()
    {
        ["AsPrimary"] = (CacheOutcome.PrimaryRequested, c => c.Notes.AsPrimary().Cacheable().ToListAsync()),
        ["UsePrimary"] = (CacheOutcome.PrimaryRequested, async c =>
        {
            using var scope = c.Database.UsePrimary();
            await c.Notes.Cacheable().ToListAsync();
        }),
        ["contract of the primary"] = (CacheOutcome.PrimaryRequested, c => c.Notes.WithContract(ReadContract.Primary).Cacheable().ToListAsync()),
        ["transaction"] = (CacheOutcome.InTransaction, async c =>
        {
            await using var transaction = await c.Database.BeginTransactionAsync();
            await c.Notes.Cacheable().ToListAsync();
        }),
        ["TransactionScope"] = (CacheOutcome.InTransaction, async c =>
        {
            using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
            await c.Notes.Cacheable().ToListAsync();
        }),
        ["open connection"] = (CacheOutcome.ConnectionOpen, async c =>
        {
            await c.Database.OpenConnectionAsync();
            await c.Notes.Cacheable().ToListAsync();
        }),
#pragma warning disable RS0030 // Evaluated by the database.
        ["time"] = (CacheOutcome.NotCacheable, c => c.Notes.Where(n => DateTime.UtcNow > DateTime.UnixEpoch).Cacheable().ToListAsync()),
#pragma warning restore RS0030
        ["chance"] = (CacheOutcome.NotCacheable, c => c.Notes.OrderBy(n => EF.Functions.Random()).Cacheable().ToListAsync()),
        ["SQL without its tables"] = (CacheOutcome.NotCacheable, c => c.Notes.FromSqlRaw("SELECT * FROM \"Notes\"").Cacheable().ToListAsync()),
        ["function of the application"] = (CacheOutcome.NotCacheable, c => c.Notes.Select(n => BlogContext.Doubled(n.Id)).Cacheable().ToListAsync()),
        ["primary-only table"] = (CacheOutcome.PrimaryRequested, c => c.Secrets.Cacheable().ToListAsync()),
    };

    public static TheoryData<string> Queries => [.. _queries.Keys];

    [Theory]
    [MemberData(nameof(Queries))]
    public async Task Runs_in_the_database_and_says_why(string name)
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        for (var i = 1; i <= 2; i++)
        {
            await using var context = blogs.Context();
            await _queries[name].Query(context);

            Assert.Equal(i, blogs.Log.Sql.Count);
            Assert.Equal(_queries[name].Outcome, context.Database.LastRouting()!.Value.Cache?.Outcome);
        }

        Assert.Equal(_queries[name].Outcome == CacheOutcome.NotCacheable ? 1 : 0, blogs.Events.Count(EfScalingEventId.QueryNotCacheable));
    }

    [Fact]
    public async Task A_query_that_asks_for_nothing_is_not_cached()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        Assert.Null(await blogs.OutcomeAsync(c => c.Tags.ToListAsync()));
        Assert.Null(await blogs.OutcomeAsync(c => c.Tags.ToListAsync()));
        Assert.Equal(2, blogs.Log.Sql.Count);
    }

    [Fact]
    public async Task A_policy_caches_all_queries_but_those_that_decline()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster, c => c.CacheAllQueries(TimeSpan.FromMinutes(1)));
        await blogs.OutcomeAsync(c => c.Tags.ToListAsync());
        Assert.Equal(CacheOutcome.LocalHit, await blogs.OutcomeAsync(c => c.Tags.ToListAsync()));
        Assert.Null(await blogs.OutcomeAsync(c => c.Tags.NotCacheable().ToListAsync()));
    }

    [Fact]
    public async Task Results_vary_by_what_the_application_says()
    {
        var tenant = new AsyncLocal<string?>();
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster, c => c.VaryBy(_ => tenant.Value));
        tenant.Value = "one";
        await blogs.OutcomeAsync(c => c.Tags.Cacheable().ToListAsync());
        Assert.Equal(CacheOutcome.LocalHit, await blogs.OutcomeAsync(c => c.Tags.Cacheable().ToListAsync()));
        tenant.Value = "two";
        Assert.Equal(CacheOutcome.Absent, await blogs.OutcomeAsync(c => c.Tags.Cacheable().ToListAsync()));
        Assert.Equal(CacheOutcome.Absent, await blogs.OutcomeAsync(c => c.Tags.VaryBy("x").Cacheable().ToListAsync()));
    }

    [Fact]
    public async Task A_result_that_is_too_large_is_read_whole_and_not_kept()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster, c => c.MaxResult(rows: 3));
        await using var context = blogs.Context();
        var all = await context.Posts.NotCacheable().CountAsync();
        Assert.True(all > 3);
        Assert.Equal(all, (await context.Posts.Cacheable().ToListAsync()).Count);
        Assert.Equal(CacheOutcome.Absent, await blogs.OutcomeAsync(c => c.Posts.Cacheable().ToListAsync()));
    }

    [Fact]
    public async Task An_explanation_says_what_the_cache_would_do()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        Assert.Contains("cache memory: used, for 60 s, until a write to v:public.Tags", context.Tags.Cacheable(TimeSpan.FromMinutes(1)).ToRoutingString(), StringComparison.Ordinal);
        Assert.Contains("cache memory: not used, NotCacheable: VolatileFunction", context.Tags.OrderBy(t => EF.Functions.Random()).Cacheable().ToRoutingString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Results_expire()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        await blogs.OutcomeAsync(c => c.Tags.Cacheable(TimeSpan.FromMilliseconds(100)).ToListAsync());
        await EfScaling.Testing.Eventually.ThatAsync(
            async () => await blogs.OutcomeAsync(c => c.Tags.Cacheable(TimeSpan.FromMilliseconds(100)).ToListAsync()) == CacheOutcome.Absent,
            TimeSpan.FromSeconds(10),
            "the result has expired");
    }
}
