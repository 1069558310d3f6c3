using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Transactions;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Routing.Scatter;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Queries that shards cannot answer together run on the fallback coordinator, and give what one database with all rows gives.</summary>
public sealed class FallbackCoordinatorTests(ClusterFixture fixture, ShopDatabases databases) : IClassFixture<ShopDatabases>, IAsyncLifetime
{
    private static readonly JsonSerializerOptions _json = new() { ReferenceHandler = ReferenceHandler.IgnoreCycles };

    // What is not in an order that it asks for is put in one. One at least for each rule that a query can break; UnknownType and SplitBuckets take other models.
    private static readonly Dictionary<string, (ScatterRule Rule, Func<ShopContext, IQueryable<object?>> Of)> _queries = new()
    {
        ["a join without the key"] = (ScatterRule.JoinWithoutKey, c => from o in c.Orders join x in c.Customers on o.Id % 41 equals x.Id orderby o.CustomerId, o.Id select new { o.CustomerId, o.Id, x.Name, o.Total }),
        ["entities of a join without the key"] = (ScatterRule.JoinWithoutKey, c => from o in c.Orders join x in c.Customers on o.Id % 41 equals x.Id orderby o.CustomerId, o.Id select new { o, x }),
        ["a join with the default shard"] = (ScatterRule.JoinWithDefaultShard, c => from x in c.Customers join n in c.Notices on x.Id equals n.Id orderby x.Id select new { x.Name, n.Text }),
        ["a left join from a reference table"] = (ScatterRule.OuterJoinFromCopies, c => c.Products.LeftJoin(c.Lines.Where(l => l.Count > 30), p => p.Id, l => l.ProductId, (p, l) => new { p.Name, Count = (int?)l!.Count, Key = (int?)l.CustomerId }).OrderBy(x => x.Name).ThenBy(x => x.Key).ThenBy(x => x.Count)),
        ["a subquery whose tables depend on each other"] = (ScatterRule.CorrelatedSubquery, c => c.Customers.OrderBy(x => x.Id).Select(x => new { x.Id, Some = c.Orders.Where(o => o.Total > 20).SelectMany(o => c.Lines.Where(l => l.CustomerId != o.CustomerId && l.Count == x.Id % 5).OrderBy(l => l.CustomerId).ThenBy(l => l.OrderId).ThenBy(l => l.Number).Take(1)).Sum(l => l.CustomerId) })),
        ["SQL of the application"] = (ScatterRule.NotUnderstood, c => c.Orders.FromSql($"""SELECT * FROM "Orders" WHERE "Total" > {20}""").OrderBy(o => o.CustomerId).ThenBy(o => o.Id).Select(o => new { o.CustomerId, o.Total, o.Customer!.Name })),
        ["SQL of the application, different rows"] = (ScatterRule.NotUnderstood, c => c.Products.FromSqlRaw("""SELECT DISTINCT * FROM (SELECT p.* FROM "Products" AS p CROSS JOIN "Customers" AS c) AS x""").OrderBy(p => p.Id)),
        ["SQL of the application that compares rows"] = (ScatterRule.NotUnderstood, c => c.Database.SqlQueryRaw<int>("""SELECT count(*)::int + count(DISTINCT o)::int AS "Value" FROM "Orders" AS o NATURAL JOIN (SELECT * FROM "Orders" UNION SELECT * FROM "Orders") AS p""").Select(x => new { x })),
        ["SQL of the application alone"] = (ScatterRule.NotUnderstood, c => c.Database.SqlQuery<decimal>($"""SELECT sum("Total") AS "Value" FROM "Orders" WHERE "CustomerId" > {3}""").Select(x => new { Total = x })),
    };

    private string _coordinator = null!;
    private ServiceProvider? _services;

    public static TheoryData<string> Queries => [.. _queries.Keys];

    private ShardedDbContextFactory<ShopContext> Factory => _services!.GetRequiredService<ShardedDbContextFactory<ShopContext>>();

    public async ValueTask InitializeAsync()
    {
        _coordinator = await CreateDatabaseAsync();
        _services = Services(_coordinator);
        await using var sharded = databases.Sharded.CreateDbContext();
        await using var whole = databases.Whole();
        if (!await whole.Notices.AnyAsync())
        {
            foreach (var context in new[] { sharded, whole })
            {
                context.Notices.AddRange(Enumerable.Range(1, 9).Select(i => new Notice { Id = i, Text = $"notice {i}" }));
                await context.SaveChangesAsync();
            }
        }

        await using var spanning = Factory.CreateDbContext();
        await spanning.Database.CreateFallbackCoordinatorAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }
    }

    [Theory]
    [MemberData(nameof(Queries))]
    public async Task Refused_queries_give_what_one_database_gives(string name)
    {
        var (rule, query) = _queries[name];
        await using (var without = databases.Sharded.CreateDbContext())
        {
            Assert.Equal(rule, (await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(() => query(without).ToListAsync())).Rule);
        }

        await using var whole = databases.Whole();
        await using var spanning = Factory.CreateDbContext();
        var expected = JsonSerializer.Serialize(await query(whole).ToListAsync(), _json);
        Assert.True(expected.Length > 10, $"too little to compare: {expected}");
        Assert.Equal(expected, JsonSerializer.Serialize(await query(spanning).ToListAsync(), _json));
        Assert.Equal((RoutingReason.FallbackCoordinator, NodeRole.Coordinator), (spanning.Database.LastRouting()!.Value.Reason, spanning.Database.LastRouting()!.Value.Role));
        await using var synchronous = Factory.CreateDbContext();
        Assert.Equal(expected, JsonSerializer.Serialize(query(synchronous).ToList(), _json));
        var explained = query(spanning).ToRoutingString();
        Assert.StartsWith($"fallback coordinator {spanning.Database.LastRouting()!.Value.Node}, slow: ", explained, StringComparison.Ordinal);
        Assert.Contains($"\n  because a part breaks the rule {rule}: ", explained, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ids_that_tell_buckets_which_are_split_do_not_matter_there()
    {
        await using var press = new PressDatabases(fixture);
        await press.InitializeAsync();
        var coordinator = await CreateDatabaseAsync();
        await using var services = new ServiceCollection()
            .AddShardedDbContextFactory<PressContext>((_, o) => press.Configure(o, s => s
                .UseFallbackCoordinator(coordinator)
                .UseMap(shards => new DirectoryShardMap(new HashShardMap(shards, HashShardMap.DefaultBucketCount, [ShardKeyType.Uuid]), [new(ShardKey.Of(Guid.Empty), shards.First(n => n != new HashShardMap(shards).ShardOf(ShardKey.Of(Guid.Empty))))], version: 2))))
            .BuildServiceProvider();
        await using var spanning = services.GetRequiredService<ShardedDbContextFactory<PressContext>>().CreateDbContext();
        await spanning.Database.CreateFallbackCoordinatorAsync();
        await using var whole = press.Whole();
        Assert.Equal(await Titles(whole).ToListAsync(), await Titles(spanning).ToListAsync());
        Assert.Equal(RoutingReason.FallbackCoordinator, spanning.Database.LastRouting()!.Value.Reason);
        Assert.Contains("the rule SplitBuckets: ", Titles(spanning).ToRoutingString(), StringComparison.Ordinal);

        static IQueryable<string> Titles(PressContext c) => c.Comments.Join(c.Articles, m => m.ArticleId, a => a.Id, (m, a) => a.Title + m.Text).OrderBy(t => t);
    }

    [Fact]
    public async Task Entities_are_tracked_with_the_row_versions_of_their_shards()
    {
        await using var context = Factory.CreateDbContext();
        var orders = await JoinedOrders(context).ToListAsync();
        Assert.Equal(RoutingReason.FallbackCoordinator, context.Database.LastRouting()!.Value.Reason);
        Assert.NotEmpty(orders);
        await using var direct = databases.Sharded.CreateDbContext();
        foreach (var order in orders)
        {
            var read = await direct.Orders.SingleAsync(o => o.CustomerId == order.CustomerId && o.Id == order.Id);
            Assert.Equal(direct.Entry(read).Property<uint>("xmin").CurrentValue, context.Entry(order).Property<uint>("xmin").CurrentValue);
        }

        // What somebody else has changed since is not overwritten.
        var (mine, theirs) = (orders[0], direct.Orders.Local.First());
        theirs.Total += 1;
        await direct.SaveChangesAsync();
        mine.Total += 2;
        await Assert.ThrowsAsync<DbUpdateConcurrencyException>(() => context.SaveChangesAsync());
        theirs.Total -= 1;
        await direct.SaveChangesAsync();

        Assert.Empty(context.ChangeTracker.Entries<Customer>());
        await using var untracked = Factory.CreateDbContext();
        Assert.Equal(orders.Count, (await JoinedOrders(untracked).AsNoTracking().ToListAsync()).Count);
        Assert.Empty(untracked.ChangeTracker.Entries());
    }

    [Fact]
    public async Task Includes_streams_and_compiled_queries_run_there()
    {
        await using var whole = databases.Whole();
        var expected = JsonSerializer.Serialize(await WithLines(whole).ToListAsync(), _json);
        foreach (var of in new Func<IQueryable<Order>, IQueryable<Order>>[] { q => q.AsSingleQuery(), q => q.AsSplitQuery() })
        {
            await using var context = Factory.CreateDbContext();
            Assert.Equal(expected, JsonSerializer.Serialize(await of(WithLines(context)).ToListAsync(), _json));
            Assert.Equal(expected, JsonSerializer.Serialize(of(WithLines(context).AsNoTracking()).ToList(), _json));
            Assert.Equal(RoutingReason.FallbackCoordinator, context.Database.LastRouting()!.Value.Reason);
        }

        await using var spanning = Factory.CreateDbContext();
        var number = 0;
        await foreach (var order in JoinedOrders(spanning).AsNoTracking().AsAsyncEnumerable())
        {
            if (++number == 3)
            {
                break;
            }
        }

        // A connection of the pool is free again.
        var compiled = EF.CompileAsyncQuery((ShopContext c, decimal least) => c.Orders.Join(c.Customers, o => o.Id % 41, x => x.Id, (o, x) => o).Count(o => o.Total > least));
        Assert.Equal(await JoinedOrders(whole).CountAsync(o => o.Total > 20), await compiled(spanning, 20));
        Assert.Equal(await JoinedOrders(whole).CountAsync(o => o.Total > 40), await compiled(spanning, 40));
        Assert.Equal(RoutingReason.FallbackCoordinator, spanning.Database.LastRouting()!.Value.Reason);
        await Eventually.ThatAsync(
            async () => await fixture.Cluster.Primary.ScalarAsync<long>($"SELECT count(*) FROM pg_stat_activity WHERE (datname = '{DatabaseOf(_coordinator)}' OR (application_name = 'postgres_fdw' AND starts_with(datname, '{DatabaseOf(databases.ConnectionTo(string.Empty))}'))) AND state <> 'idle'") == 0,
            TimeSpan.FromSeconds(20),
            "no session is left in a transaction");

        static IQueryable<Order> WithLines(ShopContext c) =>
            c.Orders.Where(o => c.Customers.Join(c.Orders, x => x.Id, p => p.Id % 41, (x, p) => x.Id).Contains(o.CustomerId)).Include(o => o.Lines.OrderBy(l => l.Number)).OrderBy(o => o.CustomerId).ThenBy(o => o.Id);
    }

    [Fact]
    public async Task What_was_just_written_is_seen_and_nothing_is_cached()
    {
        await using var context = Factory.CreateDbContext();
        var count = JoinedOrders(context).Cacheable();
        var before = (await count.ToListAsync()).Count;
        context.Add(new Order { CustomerId = 5, Id = 41 * 977, Total = 1 });
        context.Add(new Order { CustomerId = 6, Id = (41 * 977) + 1, Total = 1 });
        await context.SaveChangesAsync();
        Assert.Equal(before + 1, (await count.ToListAsync()).Count);
        Assert.Null(context.Database.LastRouting()!.Value.Cache);
        await context.Orders.Where(o => o.Total == 1 && (o.CustomerId == 5 || o.CustomerId == 6)).ExecuteDeleteAsync();
        await using var other = Factory.CreateDbContext();
        Assert.Equal(before, (await JoinedOrders(other).Cacheable().ToListAsync()).Count);
        Assert.Equal(RoutingReason.FallbackCoordinator, other.Database.LastRouting()!.Value.Reason);
    }

    [Fact]
    public async Task The_session_does_not_go_back_behind_what_it_has_shown()
    {
        await using var services = Services(_coordinator, contract: ReadContract.Session);
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        var router = context.GetService<ReadRouter>();
        await Eventually.ThatAsync(
            async () =>
            {
                await context.Customers.AsNoTracking().CountAsync();
                return router.Shards!.Routers().All(r => r.Cluster.Identity is not null);
            },
            TimeSpan.FromSeconds(30),
            "all shards are known");
        var before = Moment.Now(router.Cluster.Clock);
        Assert.NotEmpty(await JoinedOrders(context).AsNoTracking().ToListAsync());
        Assert.All(router.Shards!.Routers(), r => Assert.True(r.Session.Demand().Floor > before, $"{r.ShardName} may be shown as it was before"));
    }

    [Fact]
    public async Task Nothing_can_be_written_there()
    {
        await using var context = Factory.CreateDbContext();
        foreach (var sql in new[]
        {
            """DELETE FROM "Notices" RETURNING "Id" AS "Value" """,
            """UPDATE "Products" SET "Name" = 'x' RETURNING "Id" AS "Value" """,
            """SET TRANSACTION READ WRITE; DELETE FROM "Notices" RETURNING "Id" AS "Value" """,
        })
        {
            var refusal = await Assert.ThrowsAnyAsync<Exception>(() => context.Database.SqlQueryRaw<int>(sql).ToListAsync());
            Assert.Contains(Assert.IsType<PostgresException>(refusal.GetBaseException()).SqlState, (string[])[PostgresErrorCodes.ReadOnlySqlTransaction, PostgresErrorCodes.ObjectNotInPrerequisiteState]);
        }

        Assert.Equal(9, await context.Notices.CountAsync());
    }

    [Fact]
    public async Task Inside_of_transactions_it_is_not_asked()
    {
        await using var context = Factory.CreateDbContext();
        await using (await context.Database.BeginTransactionAsync())
        {
            var refusal = await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(() => JoinedOrders(context).ToListAsync());
            Assert.Equal(ScatterRule.JoinWithoutKey, refusal.Rule);
            Assert.Contains("The fallback coordinator does not answer it: a transaction is open, whose writes it does not see.", refusal.Message, StringComparison.Ordinal);
            Assert.StartsWith("refused: ", JoinedOrders(context).ToRoutingString(), StringComparison.Ordinal);
        }

        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            Assert.Contains("a transaction is open", Assert.Throws<CrossShardQueryNotSupportedException>(() => JoinedOrders(context).ToList()).Message, StringComparison.Ordinal);
        }

        using (context.Database.AllowPartialResults(out var report))
        {
            Assert.NotEmpty(await JoinedOrders(context).ToListAsync());
            Assert.True(report.AreComplete);
        }
    }

    [Fact]
    public async Task With_a_catalog_it_is_not_asked()
    {
        var catalog = await CreateDatabaseAsync();
        await using var services = Services(_coordinator, s => s.UseCatalog(catalog));
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        await context.Database.CreateShardCatalogAsync();
        Assert.Contains(
            "The fallback coordinator does not answer it: UseCatalog lets buckets move",
            (await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(() => JoinedOrders(context).ToListAsync())).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancellation_and_timeouts_end_a_query_there()
    {
        await using var context = Factory.CreateDbContext();
        using var cancel = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Slow(context).ToListAsync(cancel.Token));
        context.Database.SetCommandTimeout(1);
        Assert.IsType<TimeoutException>((await Assert.ThrowsAnyAsync<Exception>(() => Slow(context).ToListAsync())).GetBaseException());
        context.Database.SetCommandTimeout(null);
        Assert.NotEmpty(await JoinedOrders(context).ToListAsync());

        static IQueryable<Order> Slow(ShopContext c) => JoinedOrders(c).Where(o => ShopContext.Sleep(20) != null);
    }

    [Fact]
    public async Task A_coordinator_with_another_order_of_texts_is_refused()
    {
        var other = await CreateDatabaseAsync("TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'");
        await using var services = Services(other);
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.CreateFallbackCoordinatorAsync());
        Assert.Contains("may order, compare or write values in another way than shard 'north': its database is 'UTF8 i ", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, await CountAsync(other, "SELECT count(*) FROM pg_foreign_server"));
        Assert.Equal(0, await CountAsync(other, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'efscaling%'"));
    }

    [Fact]
    public async Task What_it_did_not_make_is_never_dropped()
    {
        var coordinator = await CreateDatabaseAsync();
        await ExecuteAsync(coordinator, """CREATE TABLE "Orders" (id int); INSERT INTO "Orders" VALUES (1)""");
        await using var services = Services(coordinator);
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.CreateFallbackCoordinatorAsync());
        Assert.Contains("whose database has \"Orders\", which it did not make", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(1, await CountAsync(coordinator, "SELECT count(*) FROM \"Orders\""));

        // Not its shards either, whose tables are their own.
        await using var onShard = Services(databases.ConnectionTo("north"));
        await using var there = onShard.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        Assert.Contains("which it did not make", (await Assert.ThrowsAsync<InvalidOperationException>(() => there.Database.CreateFallbackCoordinatorAsync())).Message, StringComparison.Ordinal);

        await ExecuteAsync(coordinator, "DROP TABLE \"Orders\"");
        await context.Database.CreateFallbackCoordinatorAsync();
        await ExecuteAsync(coordinator, "CREATE VIEW mine AS SELECT * FROM \"Orders\"; CREATE TABLE other (id int)");
        refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.CreateFallbackCoordinatorAsync());
        Assert.Contains("could not drop what it made before: 2BP01: ", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(await context.Orders.CountAsync(), await CountAsync(coordinator, "SELECT count(*) FROM mine"));
        await ExecuteAsync(coordinator, "DROP VIEW mine");
        await context.Database.CreateFallbackCoordinatorAsync();
        Assert.Equal(0, await CountAsync(coordinator, "SELECT count(*) FROM other"));
    }

    [Fact]
    public async Task What_is_missing_or_older_than_the_shards_asks_to_be_made_anew()
    {
        var coordinator = await CreateDatabaseAsync();
        await using var services = Services(coordinator);
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        Assert.Contains("Call Database.CreateFallbackCoordinatorAsync()", (await Assert.ThrowsAsync<InvalidOperationException>(() => JoinedOrders(context).ToListAsync())).Message, StringComparison.Ordinal);
        await context.Database.CreateFallbackCoordinatorAsync();
        Assert.NotEmpty(await JoinedOrders(context).ToListAsync());

        foreach (var shard in databases.Sharded.Shards)
        {
            await ExecuteAsync(databases.ConnectionTo(shard), "ALTER TABLE \"Customers\" ADD COLUMN \"Since\" int DEFAULT 7");
        }

        var added = context.Database.SqlQueryRaw<int>("""SELECT sum("Since")::int AS "Value" FROM "Customers" """);
        Assert.Contains("Call Database.CreateFallbackCoordinatorAsync()", (await Assert.ThrowsAsync<InvalidOperationException>(() => added.ToListAsync())).Message, StringComparison.Ordinal);
        await context.Database.CreateFallbackCoordinatorAsync();
        Assert.Equal([ShopDatabases.Customers * 7], await added.ToListAsync());

        // Columns that are gone are told by the shard.
        foreach (var shard in databases.Sharded.Shards)
        {
            await ExecuteAsync(databases.ConnectionTo(shard), "ALTER TABLE \"Customers\" DROP COLUMN \"Since\"");
        }

        Assert.Contains("Call Database.CreateFallbackCoordinatorAsync()", (await Assert.ThrowsAsync<InvalidOperationException>(() => added.ToListAsync())).Message, StringComparison.Ordinal);
        await context.Database.CreateFallbackCoordinatorAsync();
        Assert.NotEmpty(await JoinedOrders(context).ToListAsync());
    }

    [Fact]
    public async Task A_coordinator_that_is_stopped_gives_the_refusal_with_the_reason()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0 });
        await using var services = Services(new NpgsqlConnectionStringBuilder(cluster.Primary.ConnectionString) { Timeout = 2, CommandTimeout = 2 }.ConnectionString);
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        await context.Database.CreateFallbackCoordinatorAsync();
        Assert.NotEmpty(await JoinedOrders(context).ToListAsync());
        await cluster.Primary.StopAsync();
        for (var i = 0; i < 2; i++)
        {
            // First over a connection of the pool that is broken, then none can be opened.
            var refusal = await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(() => JoinedOrders(context).ToListAsync());
            Assert.Contains($"The fallback coordinator does not answer it: '{cluster.Primary.Host}:{cluster.Primary.Port}' failed (", refusal.Message, StringComparison.Ordinal);
            Assert.IsAssignableFrom<NpgsqlException>(refusal.InnerException);
        }

        Assert.Contains("could not open a transaction", (await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.CreateFallbackCoordinatorAsync())).Message, StringComparison.Ordinal);
        Assert.Equal(ShopDatabases.Customers, await context.Customers.CountAsync());
        await cluster.Primary.StartAsync();
        Assert.NotEmpty(await JoinedOrders(context).ToListAsync());

        // One that hangs ends the command of an open connection by its timeout, and gives no new one.
        await cluster.Primary.SuspendAsync();
        try
        {
            Assert.IsType<TimeoutException>((await Assert.ThrowsAnyAsync<Exception>(() => JoinedOrders(context).ToListAsync())).GetBaseException());
            Assert.Contains("The fallback coordinator does not answer it: ", (await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(() => JoinedOrders(context).ToListAsync())).Message, StringComparison.Ordinal);
            Assert.Equal(ShopDatabases.Customers, await context.Customers.CountAsync());
        }
        finally
        {
            await cluster.Primary.ContinueAsync();
        }

        Assert.NotEmpty(await JoinedOrders(context).ToListAsync());
    }

    [Fact]
    public async Task It_is_told_once_for_each_query_and_never_with_a_password()
    {
        var log = new EventLog();
        var coordinator = await CreateDatabaseAsync();
        var password = $"secret {Guid.NewGuid():N}";
        var role = $"fallback_{Guid.NewGuid():N}";
        await fixture.Cluster.Primary.ExecuteAsync($"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{password}'");
        await using var services = new ServiceCollection()
            .AddShardedDbContextFactory<ShopContext>((_, o) => databases
                .Configure(o, ReadContract.Primary, more: s => s.UseFallbackCoordinator(As(coordinator)), connections: shard => As(databases.ConnectionTo(shard)))
                .UseNpgsql(n => n.ConfigureDataSource(b => b.UseLoggerFactory(log).EnableParameterLogging()))
                .UseLoggerFactory(log)
                .EnableSensitiveDataLogging())
            .BuildServiceProvider();
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        await context.Database.CreateFallbackCoordinatorAsync();
        var counted = new ConcurrentBag<string>();
        using var listener = new MeterListener { InstrumentPublished = (instrument, self) => self.EnableMeasurementEvents(instrument) };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => counted.Add($"{instrument.Name} {string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}"))}"));
        listener.Start();
        var expected = (await JoinedOrders(context).ToListAsync()).Count;
        Assert.Contains("efscaling.sharding.fallbacks rule=JoinWithoutKey", counted);
        Assert.Contains($"efscaling.replication.commands node={context.Database.LastRouting()!.Value.Node} role=Coordinator reason=FallbackCoordinator", counted);
        Assert.Equal(expected, (await JoinedOrders(context).ToListAsync()).Count);
        Assert.Equal(1, log.Count(EfScalingEventId.QueryOnCoordinator));
        Assert.Contains(log.Events, e => e.Id == EfScalingEventId.QueryOnCoordinator && e.Message.Contains($"'{context.Database.LastRouting()!.Value.Node}', which is slow", StringComparison.Ordinal) && e.Message.Contains("JoinWithoutKey", StringComparison.Ordinal));

        // The mapping that cannot be made, and the connections that it leads to.
        await fixture.Cluster.Primary.ExecuteAsync($"ALTER ROLE {role} PASSWORD 'changed'");
        var failures = new List<Exception> { await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.CreateFallbackCoordinatorAsync()) };
        await fixture.Cluster.Primary.ExecuteAsync($"ALTER ROLE {role} NOSUPERUSER PASSWORD '{password}'");
        failures.Add(await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.CreateFallbackCoordinatorAsync()));
        Assert.DoesNotContain(failures, f => f.ToString().Contains(password, StringComparison.Ordinal));
        Assert.Contains(log.Events, e => e.Message.Contains("CREATE USER MAPPING", StringComparison.Ordinal));
        Assert.DoesNotContain(log.Events, e => e.Message.Contains(password, StringComparison.Ordinal));

        string As(string connectionString) => new NpgsqlConnectionStringBuilder(connectionString) { Username = role, Password = password }.ConnectionString;
    }

    // Of every customer the order whose number leads to it, whoever's it is.
    private static IQueryable<Order> JoinedOrders(ShopContext context) =>
        context.Orders.Join(context.Customers, o => o.Id % 41, x => x.Id, (o, x) => o).OrderBy(o => o.CustomerId).ThenBy(o => o.Id);

    private ServiceProvider Services(string coordinator, Action<ShardingOptionsBuilder>? more = null, ReadContract contract = ReadContract.Primary) => new ServiceCollection()
        .AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, contract, more: s =>
        {
            s.UseFallbackCoordinator(coordinator);
            more?.Invoke(s);
        }))
        .BuildServiceProvider();

    private async Task<string> CreateDatabaseAsync(string settings = "")
    {
        var name = $"coordinator_{Guid.NewGuid():N}";
        await fixture.Cluster.Primary.ExecuteAsync($"CREATE DATABASE {name} {settings}");
        return fixture.Cluster.Primary.GetConnectionString(name);
    }

    private static string DatabaseOf(string connectionString) => new NpgsqlConnectionStringBuilder(connectionString).Database!;

    private static async Task ExecuteAsync(string connectionString, string sql)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<long> CountAsync(string connectionString, string sql)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var command = source.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
