using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Nobody is given a result of another query, tenant, role or schema.</summary>
public sealed class CacheIsolationTests(CacheIsolationTests.Database database, ClusterFixture fixture) : IClassFixture<CacheIsolationTests.Database>
{
    private const string Tables =
        """
        CREATE TABLE tenant_notes ("Id" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Tenant" int NOT NULL, "Text" text NOT NULL);
        CREATE TABLE guarded ("Id" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Tenant" int NOT NULL, "Text" text NOT NULL);
        """;

    [Fact]
    public async Task Texts_that_compare_by_other_rules_are_other_queries()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        foreach (var (type, expected) in new[] { (NpgsqlDbType.Char, 1), (NpgsqlDbType.Text, 0) })
        {
            for (var i = 0; i < 3; i++)
            {
                var value = new NpgsqlParameter("p", type) { Value = "a " };
                var found = await context.Database
                    .SqlQueryRaw<int>("SELECT count(*)::int AS \"Value\" FROM (VALUES ('a'::char(5))) AS v(x) WHERE x = @p", value)
                    .DependsOnTable("Tags")
                    .Cacheable()
                    .ToListAsync();
                Assert.Equal([expected], found);
            }
        }
    }

    [Fact]
    public async Task Parameters_that_look_alike_are_told_apart()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        await using var plain = new BlogContext(new DbContextOptionsBuilder<BlogContext>().UseNpgsql(fixture.Cluster.Primary.ConnectionString).Options);
        var mark = Guid.NewGuid().ToString("N");
        string?[] texts = ["", "1", "1,2", "1;2", "{1,2}", "null", "NULL", "a\0b".Replace('\0', '\u0001'), " 1", "1 "];
        plain.AddRange(texts.Select(t => new Note { Text = mark + t }));
        await plain.SaveChangesAsync();
        var ids = await plain.Notes.Where(n => n.Text.StartsWith(mark)).OrderBy(n => n.Id).Select(n => n.Id).ToListAsync();
        string?[] values = [.. texts.Select(t => mark + t), null, ""];
        string?[][] lists = [[], [null], [values[0]], [values[0], values[1]], [values[1], values[0]], [values[1] + values[0]], [values[0], null], [values[2]], [values[1], mark + "2"]];
        int[][] numbers = [[], [ids[0]], [ids[0], ids[1]], [ids[1], ids[0]], [ids[0], ids[0]]];
        for (var i = 0; i < 2; i++)
        {
            foreach (var value in values)
            {
                await SameAsync(c => c.Notes.Where(n => n.Text == value));
                await SameAsync(c => c.Notes.Where(n => n.Text.StartsWith(mark) && n.Text != value));
            }

            foreach (var list in lists)
            {
                await SameAsync(c => c.Notes.Where(n => list.Contains(n.Text)));
            }

            foreach (var list in numbers)
            {
                await SameAsync(c => c.Notes.Where(n => list.Contains(n.Id)));
                await SameAsync(c => c.Notes.Where(n => n.Id == list.Length + ids[0]));
            }
        }

        async Task SameAsync(Func<BlogContext, IQueryable<Note>> query)
        {
            await using var context = blogs.Context();
            Assert.Equal(await query(plain).Select(n => n.Id).OrderBy(n => n).ToListAsync(), await query(context).Select(n => n.Id).OrderBy(n => n).Cacheable().ToListAsync());
        }
    }

    [Fact]
    public async Task Schemas_that_connections_search_do_not_share()
    {
        await using var redis = await RedisServer.StartAsync();
        var first = Options(redis, b => b.SearchPath = "a");
        var second = Options(redis, b => b.SearchPath = "b");
        await CachedAsync(() => Context(first, tenant: 1), ["a1"]);
        await CachedAsync(() => Context(second, tenant: 1), ["b1"]);
        await CachedAsync(() => Context(first, tenant: 1), ["a1"]);

        // One catalog, two paths: the write is of the table that its connection finds.
        await AddAsync(() => Context(second, tenant: 5), "b5");
        await CachedAsync(() => Context(second, tenant: 5), ["b5"]);
        await CachedAsync(() => Context(first, tenant: 5), []);
    }

    [Fact]
    public async Task Connections_that_differ_in_what_no_result_depends_on_share()
    {
        await using var redis = await RedisServer.StartAsync();
        var first = Options(redis, b => (b.Username, b.Password, b.ApplicationName) = ("rotated", "x", "first"));
        var second = Options(redis, b => (b.Username, b.Password, b.ApplicationName, b.MaxPoolSize) = ("rotated", "y", "second", 7));
        await CachedAsync(() => Context(first, 1, "a"), ["a1"]);
        await fixture.Cluster.Primary.ExecuteAsync("ALTER ROLE rotated PASSWORD 'y'");

        CacheOutcome? outcome = null;
        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = Context(second, 1, "a");
                await context.Notes.OrderBy(n => n.Id).Cacheable().ToListAsync();
                outcome = context.Database.LastRouting()!.Value.Cache!.Value.Outcome;
                return outcome is not (CacheOutcome.Starting or CacheOutcome.StoreUnavailable);
            },
            MarkedNotes.Patience,
            "the second process to know the database");

        Assert.Equal(CacheOutcome.Hit, outcome);
    }

    [Fact]
    public async Task Tenants_by_schema_do_not_share()
    {
        await using var redis = await RedisServer.StartAsync();
        var options = Options(redis);
        await CachedAsync(() => Context(options, 1, "a"), ["a1"]);
        await CachedAsync(() => Context(options, 1, "b"), ["b1"]);
        await AddAsync(() => Context(options, 6, "a"), "a6");
        await CachedAsync(() => Context(options, 6, "a"), ["a6"]);
        await CachedAsync(() => Context(options, 6, "b"), []);
        await using var other = Context(options, 1, "b");
        await other.Notes.OrderBy(n => n.Id).Cacheable().ToListAsync();
        Assert.True(other.Database.LastRouting()!.Value.Cache is { IsHit: true }, "a write of one tenant made another's result old");
    }

    [Fact]
    public async Task Tenants_by_query_filter_do_not_share()
    {
        await using var redis = await RedisServer.StartAsync();
        var options = Options(redis);
        await CachedAsync(() => Context(options, 1, "a"), ["a1"]);
        await CachedAsync(() => Context(options, 2, "a"), ["a2"]);
        await CachedAsync(() => Context(options, 3, "a"), []);
        await using var all = Context(options, 3, "a");
        Assert.True(await all.Notes.IgnoreQueryFilters().Cacheable().CountAsync() >= 2);
    }

    [Fact]
    public async Task Row_security_is_cached_only_by_what_it_goes_by()
    {
        await using var redis = await RedisServer.StartAsync();
        foreach (var varies in new[] { false, true })
        {
            var first = Options(redis, b => (b.Username, b.Password) = ("tenant1", "x"), c => Vary(c, varies));
            var second = Options(redis, b => (b.Username, b.Password) = ("tenant2", "x"), c => Vary(c, varies));
            foreach (var (options, expected) in new[] { (first, "1"), (second, "2"), (first, "1"), (second, "2") })
            {
                CacheDecision? last = null;
                await Eventually.ThatAsync(
                    async () =>
                    {
                        await using var context = Context(options, 0);
                        var texts = await context.Notes.FromSqlRaw("SELECT * FROM a.guarded").IgnoreQueryFilters().DependsOnTable("guarded", "a").Select(n => n.Text).Cacheable().ToListAsync();
                        Assert.Equal([expected], texts);
                        last = context.Database.LastRouting()!.Value.Cache;
                        return varies ? last is { IsHit: true } : last is { Outcome: CacheOutcome.NotCacheable };
                    },
                    MarkedNotes.Patience,
                    $"row security, varying: {varies}");
                if (!varies)
                {
                    Assert.Contains("VaryBy(...)", last!.Value.Detail, StringComparison.Ordinal);
                }
            }
        }

        // The role is part of what tells connections apart anyway; within one, the application says what differs.
        static QueryCacheOptionsBuilder Vary(QueryCacheOptionsBuilder cache, bool varies) => varies ? cache.VaryBy(_ => "fixed") : cache;
    }

    [Theory]
    [InlineData("now()")]
    [InlineData("CURRENT_TIMESTAMP")]
    [InlineData("localtime")]
    [InlineData("clock_timestamp()")]
    [InlineData("random()")]
    [InlineData("gen_random_uuid()")]
    [InlineData("nextval('numbers')")]
    [InlineData("current_user")]
    [InlineData("session_user")]
    [InlineData("current_setting('app.tenant', true)")]
    [InlineData("txid_current()")]
    [InlineData("pg_backend_pid()")]
    [InlineData("unknown_to_all(1)")]
    public async Task What_changes_by_itself_is_not_cacheable(string expression)
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
#pragma warning disable EF1002 // The text comes from the test.
        var query = context.Tags.FromSqlRaw($"SELECT t.* FROM \"Tags\" t WHERE ({expression})::text IS NOT NULL").DependsOnTable("Tags").Cacheable();
#pragma warning restore EF1002
        if (expression.StartsWith("unknown", StringComparison.Ordinal))
        {
            // Whether the application's own function may be trusted it says itself, by naming the tables.
            Assert.DoesNotContain("VolatileFunction", query.ToRoutingString(), StringComparison.Ordinal);
            return;
        }

        Assert.Contains("not used, NotCacheable", query.ToRoutingString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clocks_chance_and_locks_in_LINQ_are_not_cacheable()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
#pragma warning disable RS0030 // They run in the database.
        IQueryable[] queries =
        [
            context.Notes.Where(n => DateTime.Now.Year > n.Id).Cacheable(),
            context.Notes.Where(n => DateTime.Today.Year > n.Id).Cacheable(),
            context.Notes.Where(n => DateTimeOffset.UtcNow.Year > n.Id).Cacheable(),
            context.Notes.Select(n => Guid.NewGuid()).Cacheable(),
            context.Notes.OrderBy(n => EF.Functions.Random()).Cacheable(),
            context.Notes.FromSqlRaw("SELECT * FROM \"Notes\" FOR UPDATE").DependsOnTable("Notes").Cacheable(),
        ];
#pragma warning restore RS0030
        foreach (var query in queries)
        {
            try
            {
                var explanation = query.ToRoutingString();
                Assert.True(explanation.Contains("not used, NotCacheable", StringComparison.Ordinal), $"{query.ToQueryString()}: {explanation}");
            }
            catch (InvalidOperationException exception) when (exception.Message.Contains("could not be translated", StringComparison.Ordinal))
            {
                // The provider does not know it: nothing to cache.
            }
        }
    }

    private static TenantContext Context(DbContextOptions<TenantContext> options, int tenant, string? schema = null) => new(options, schema, tenant);

    private static async Task AddAsync(Func<TenantContext> create, string text)
    {
        await using var context = create();
        context.Add(new TenantNote { Tenant = context.Tenant, Text = text });
        await context.SaveChangesAsync();
    }

    private static async Task CachedAsync(Func<TenantContext> create, string[] expected)
    {
        CacheDecision? last = null;
        try
        {
            await Eventually.ThatAsync(
                async () =>
                {
                    await using var context = create();
                    Assert.Equal(expected, (await context.Notes.OrderBy(n => n.Id).Cacheable().ToListAsync()).Select(n => n.Text));
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
    }

    private DbContextOptions<TenantContext> Options(RedisServer redis, Action<NpgsqlConnectionStringBuilder>? connection = null, Func<QueryCacheOptionsBuilder, QueryCacheOptionsBuilder>? cache = null)
    {
        var builder = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        connection?.Invoke(builder);
        return new DbContextOptionsBuilder<TenantContext>()
            .UseNpgsql(builder.ConnectionString)
            .ReplaceService<IModelCacheKeyFactory, TenantContext.ModelKey>()
            .UseQueryCache(c =>
            {
                c.Redis(MarkedNotes.To(redis.Endpoint));
                cache?.Invoke(c);
            })
            .Options;
    }

    public sealed class Database(ClusterFixture fixture) : IAsyncLifetime
    {
        public string ConnectionString => fixture.Cluster.Primary.GetConnectionString("cache_isolation");

        public async ValueTask InitializeAsync()
        {
            await fixture.Cluster.Primary.ExecuteAsync("CREATE DATABASE cache_isolation");
            await using var connection = new NpgsqlConnection(ConnectionString);
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand(
                $"""
                CREATE SCHEMA a; SET search_path = a; {Tables} INSERT INTO tenant_notes ("Tenant", "Text") VALUES (1, 'a1'), (2, 'a2');
                CREATE SCHEMA b; SET search_path = b; {Tables} INSERT INTO tenant_notes ("Tenant", "Text") VALUES (1, 'b1');
                INSERT INTO a.guarded ("Tenant", "Text") VALUES (1, '1'), (2, '2');
                ALTER TABLE a.guarded ENABLE ROW LEVEL SECURITY;
                CREATE ROLE tenant1 LOGIN PASSWORD 'x'; CREATE ROLE tenant2 LOGIN PASSWORD 'x'; CREATE ROLE rotated LOGIN PASSWORD 'x';
                CREATE POLICY p ON a.guarded USING (current_user = 'tenant' || "Tenant");
                GRANT USAGE ON SCHEMA a, b TO tenant1, tenant2, rotated; GRANT SELECT ON ALL TABLES IN SCHEMA a, b TO tenant1, tenant2, rotated;
                """,
                connection);
            await command.ExecuteNonQueryAsync();
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
