using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using EfScaling.Consistency;
using EfScaling.Routing.Scatter;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>The same LINQ gives the same on one database and on four shards, if it names its key; and is refused if it needs several.</summary>
public sealed partial class ShardedContextTests(ShopDatabases databases) : IClassFixture<ShopDatabases>
{
    private static readonly JsonSerializerOptions _json = new() { ReferenceHandler = ReferenceHandler.IgnoreCycles };

    // EF compiles a query for one model; the single database has another than the shards.
    private static readonly ConcurrentDictionary<IModel, Func<ShopContext, int, Task<Customer?>>> _compiled = new();

    private static readonly Dictionary<string, Func<ShopContext, int, Task<object?>>> _queries = new()
    {
        ["Find"] = async (c, id) => await c.Customers.FindAsync(id),
        ["Find by a composite key"] = async (c, id) => await c.Orders.FindAsync(id, (id * 100L) + 1),
        ["First"] = async (c, id) => await c.Customers.FirstOrDefaultAsync(x => x.Id == id),
        ["synchronous"] = (c, id) => Task.FromResult<object?>(c.Orders.Where(o => o.CustomerId == id).OrderBy(o => o.Id).ToList()),
        ["no tracking"] = async (c, id) => await c.Orders.AsNoTracking().Where(o => o.CustomerId == id).OrderByDescending(o => o.Total).ToListAsync(),
        ["projection"] = async (c, id) => await c.Orders.Where(o => o.CustomerId == id).OrderBy(o => o.Id).Select(o => new { o.Total, o.Customer!.Name, Lines = o.Lines.Count }).ToListAsync(),
        ["Include"] = async (c, id) => await c.Customers.Include(x => x.Orders.OrderBy(o => o.Id)).ThenInclude(o => o.Lines.OrderBy(l => l.Number)).ThenInclude(l => l.Product).SingleAsync(x => x.Id == id),
        ["Include, split"] = async (c, id) => await c.Customers.AsSplitQuery().Include(x => x.Orders.OrderBy(o => o.Id)).ThenInclude(o => o.Lines.OrderBy(l => l.Number)).SingleAsync(x => x.Id == id),
        ["count"] = async (c, id) => await c.Lines.CountAsync(l => l.CustomerId == id),
        ["sum"] = async (c, id) => await c.Orders.Where(o => o.CustomerId == id).SumAsync(o => o.Total),
        ["any"] = async (c, id) => await c.Customers.AnyAsync(x => x.Id == id && x.Orders.Any(o => o.Total > 20)),
        ["group"] = async (c, id) => await c.Lines.Where(l => l.CustomerId == id).GroupBy(l => l.Product!.Name).Select(g => new { g.Key, Sum = g.Sum(l => l.Count) }).OrderBy(g => g.Key).ToListAsync(),
        ["page"] = async (c, id) => await c.Lines.Where(l => l.CustomerId == id).OrderBy(l => l.OrderId).ThenBy(l => l.Number).Skip(1).Take(2).ToListAsync(),
        ["join"] = async (c, id) => await c.Orders.Where(o => o.CustomerId == id).Join(c.Lines, o => new { o.CustomerId, o.Id }, l => new { l.CustomerId, Id = l.OrderId }, (o, l) => new { o.Id, l.Number, l.Count }).OrderBy(x => x.Id).ThenBy(x => x.Number).ToListAsync(),
        ["streaming"] = async (c, id) =>
        {
            var totals = new List<decimal>();
            await foreach (var order in c.Orders.Where(o => o.CustomerId == id).OrderBy(o => o.Id).AsAsyncEnumerable())
            {
                totals.Add(order.Total);
            }

            return totals;
        },
        ["compiled"] = async (c, id) => await _compiled.GetOrAdd(c.Model, _ => EF.CompileAsyncQuery((ShopContext c, int id) => c.Customers.FirstOrDefault(x => x.Id == id)))(c, id),
        ["explicit loading"] = async (c, id) =>
        {
            var customer = await c.Customers.SingleAsync(x => x.Id == id);
            await c.Entry(customer).Collection(x => x.Orders).Query().OrderBy(o => o.Id).LoadAsync();
            return customer;
        },
        ["reload"] = async (c, id) =>
        {
            var customer = await c.Customers.SingleAsync(x => x.Id == id);
            customer.Name = "changed in memory";
            await c.Entry(customer).ReloadAsync();
            return customer;
        },
        ["reference table"] = async (c, _) => await c.Products.OrderBy(p => p.Id).ToListAsync(),
    };

    public static TheoryData<string> Queries => [.. _queries.Keys];

    [Theory]
    [MemberData(nameof(Queries))]
    public async Task A_query_that_names_its_key_gives_what_one_database_gives(string query)
    {
        for (var id = 1; id <= ShopDatabases.Customers; id++)
        {
            await using var single = databases.Whole();
            await using var spanning = databases.Sharded.CreateDbContext();
            await using var bound = databases.Sharded.CreateDbContext(ShardKey.Of(id));
            var expected = Json(await _queries[query](single, id));
            Assert.Equal(expected, Json(await _queries[query](spanning, id)));
            Assert.Equal(expected, Json(await _queries[query](bound, id)));
        }
    }

    [Theory]
    [MemberData(nameof(Queries))]
    public async Task Without_a_catalog_the_SQL_of_a_query_of_one_shard_is_that_of_plain_EF(string query)
    {
        const int Id = 7;
        var (plain, routed) = (new SentSql(), new SentSql());
        await using (var single = new ShopContext(new DbContextOptionsBuilder<ShopContext>().UseNpgsql(databases.ConnectionTo("all")).AddInterceptors(plain).Options))
        {
            await _queries[query](single, Id);
        }

        await using var services = new ServiceCollection()
            .AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, ReadContract.Primary).AddInterceptors(routed))
            .BuildServiceProvider();
        await using (var spanning = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext())
        {
            await _queries[query](spanning, Id);
        }

        // But for the versions of rows, which are read where shards have replicas.
        Assert.NotEmpty(plain.Texts);
        Assert.Equal(plain.Texts, routed.Texts.Select(t => RowVersion().Replace(t, string.Empty)));
    }

    [Fact]
    public async Task Every_row_is_on_the_shard_of_its_key_and_every_shard_has_some()
    {
        var found = await databases.Sharded.ForEachShardAsync((c, token) => c.Customers.Select(x => x.Id).ToListAsync(token));
        Assert.All(found, f => Assert.NotEmpty(f.Value!));
        Assert.All(found, f => Assert.All(f.Value!, id => Assert.Equal(f.Shard, databases.Sharded.ShardOf(ShardKey.Of(id)))));
        Assert.Equal(Enumerable.Range(1, ShopDatabases.Customers), found.SelectMany(f => f.Value!).Order());
    }

    [Fact]
    public async Task One_context_reads_and_writes_on_all_shards_one_after_the_other()
    {
        await using var context = databases.Sharded.CreateDbContext();
        for (var id = 1; id <= ShopDatabases.Customers; id++)
        {
            var customer = await context.Customers.SingleAsync(c => c.Id == id);
            customer.Name += "!";
            Assert.Equal(1, await context.SaveChangesAsync());
            Assert.Equal(1, await context.Customers.Where(c => c.Id == id).ExecuteUpdateAsync(s => s.SetProperty(c => c.Name, c => c.Name.Replace("!", ""))));
            await context.Entry(customer).ReloadAsync();
            Assert.Equal($"customer {id % 7}", customer.Name);
        }
    }

    [Fact]
    public async Task Generated_values_come_from_the_shard_and_a_lost_update_is_noticed()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var order = new Order { CustomerId = 5, Total = 1 };
        context.Add(order);
        await context.SaveChangesAsync();
        Assert.True(order.Id > 0);
        await using (var other = databases.Sharded.CreateDbContext())
        {
            Assert.Equal(1, await other.Orders.Where(o => o.CustomerId == 5 && o.Id == order.Id).ExecuteDeleteAsync());
        }

        order.Total = 2;
        var lost = await Assert.ThrowsAsync<DbUpdateConcurrencyException>(() => context.SaveChangesAsync());
        Assert.Same(order, Assert.Single(lost.Entries).Entity);
    }

    [Fact]
    public async Task What_is_not_sharded_is_on_the_default_shard_alone()
    {
        await using (var context = databases.Sharded.CreateDbContext())
        {
            context.Add(new Notice { Text = "closed on Monday" });
            await context.SaveChangesAsync();
            Assert.Equal(1, await context.Notices.CountAsync());
        }

        await using var elsewhere = databases.Sharded.CreateDbContextOnShard(databases.Sharded.Shards[^1]);
        var refusal = await Assert.ThrowsAsync<CrossShardException>(() => elsewhere.Notices.CountAsync());
        Assert.Contains($"bound to the shard '{databases.Sharded.Shards[^1]}' concerns '{databases.Sharded.Shards[0]}'", refusal.Message, StringComparison.Ordinal);
        var rows = await databases.Sharded.ForEachShardAsync((c, token) => c.Database.SqlQuery<int>($"SELECT count(*)::int AS \"Value\" FROM \"Notices\"").SingleAsync(token));
        Assert.Equal([1, 0, 0, 0], rows.Select(r => r.Value));
    }

    [Fact]
    public async Task LastRouting_tells_the_shard_and_the_plan_as_well()
    {
        await using var context = databases.Sharded.CreateDbContext();
        foreach (var id in new[] { 1, 2, 3, 4, 5, 6, 7, 8 })
        {
            await context.Customers.SingleAsync(c => c.Id == id);
            var shard = databases.Sharded.ShardOf(ShardKey.Of(id));
            Assert.Equal(shard, context.Database.LastRouting()!.Value.Shard);
            Assert.StartsWith($"shard {shard}\n", context.Customers.Where(c => c.Id == id).ToRoutingString(), StringComparison.Ordinal);
        }

        Assert.StartsWith("several shards\n  from north, east, south, west: SELECT", context.Customers.ToRoutingString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_query_of_several_shards_is_refused()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var others = context.Orders.Join(context.Customers, o => o.Id, c => c.Id, (o, c) => new { o, c });
        var refusal = await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(() => others.CountAsync());
        Assert.Contains("nothing says which CustomerId the rows of 'Orders' have", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("Compare the keys in the join", refusal.Message, StringComparison.Ordinal);
        Assert.Equal((ScatterRule.JoinWithoutKey, CrossShardReason.NoShardKey), (refusal.Rule, refusal.Reason));
        Assert.Empty(refusal.Shards);
        int[] ids = [1, 2, 3, 4, 5, 6, 7, 8];
        refusal = await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(() => others.Where(x => ids.Contains(x.o.CustomerId) && ids.Contains(x.c.Id)).ToListAsync());
        Assert.Equal(CrossShardReason.SeveralShards, refusal.Reason);
        Assert.Equal(ids.Select(id => databases.Sharded.ShardOf(ShardKey.Of(id))).Distinct().Order(), refusal.Shards.Order());
        refusal = await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(() => context.Orders.FromSql($"SELECT * FROM \"Orders\"").ToListAsync());
        Assert.Equal(ScatterRule.NotUnderstood, refusal.Rule);
    }

    [Fact]
    public async Task A_change_of_the_shard_key_is_refused()
    {
        foreach (var context in new[] { databases.Sharded.CreateDbContext(), databases.Sharded.CreateDbContext(ShardKey.Of(6)) })
        {
            await using (context)
            {
                var refusal = await Assert.ThrowsAsync<CrossShardException>(
                    () => context.Orders.Where(o => o.CustomerId == 6).ExecuteUpdateAsync(s => s.SetProperty(o => o.CustomerId, 7)));
                Assert.Contains("'CustomerId' of 'Orders'", refusal.Message, StringComparison.Ordinal);
                Assert.EndsWith("Delete the rows and add them with the new key.", refusal.Message, StringComparison.Ordinal);
                var order = await context.Orders.FirstAsync(o => o.CustomerId == 6);
                order.CustomerId = 7;
                var unsaved = await Assert.ThrowsAsync<InvalidOperationException>(() => context.SaveChangesAsync());
                Assert.Contains("'Order.CustomerId' is part of a key and so cannot be modified", unsaved.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task A_write_of_several_shards_without_a_transaction_is_refused_and_writes_nothing()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var (one, other) = databases.TwoKeysOfDifferentShards();
        context.Database.AutoTransactionBehavior = AutoTransactionBehavior.Never;
        (await context.Customers.SingleAsync(c => c.Id == one)).Name = "lost";
        (await context.Customers.SingleAsync(c => c.Id == other)).Name = "lost";
        var refusal = await Assert.ThrowsAsync<CrossShardException>(() => context.SaveChangesAsync());
        Assert.Equal(new[] { one, other }.Select(id => databases.Sharded.ShardOf(ShardKey.Of(id))).Order(), refusal.Shards.Order());
        Assert.All(refusal.Shards, shard => Assert.Contains($"'{shard}'", refusal.Message, StringComparison.Ordinal));
        Assert.Contains("Leave Database.AutoTransactionBehavior at WhenNeeded", refusal.Message, StringComparison.Ordinal);
        await using var reader = databases.Sharded.CreateDbContext();
        Assert.NotEqual("lost", (await reader.Customers.SingleAsync(c => c.Id == one)).Name);
        Assert.NotEqual("lost", (await reader.Customers.SingleAsync(c => c.Id == other)).Name);
    }

    [Fact]
    public async Task A_context_of_one_shard_refuses_what_concerns_another()
    {
        var (one, other) = databases.TwoKeysOfDifferentShards();
        await using var context = databases.Sharded.CreateDbContext(ShardKey.Of(one));
        var refusal = await Assert.ThrowsAsync<CrossShardException>(() => context.Customers.SingleAsync(c => c.Id == other));
        Assert.Contains($"bound to the shard '{databases.Sharded.ShardOf(ShardKey.Of(one))}'", refusal.Message, StringComparison.Ordinal);
        context.Add(new Order { CustomerId = other, Total = 1 });
        refusal = await Assert.ThrowsAsync<CrossShardException>(() => context.SaveChangesAsync());
        Assert.Contains($"SaveChanges of a context that is bound to the shard '{databases.Sharded.ShardOf(ShardKey.Of(one))}' concerns '{databases.Sharded.ShardOf(ShardKey.Of(other))}'", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transaction_holds_what_its_shard_has_and_refuses_the_rest()
    {
        var (one, other) = databases.TwoKeysOfDifferentShards();
        await using var context = databases.Sharded.CreateDbContext(ShardKey.Of(one));
        await using (await context.Database.BeginTransactionAsync())
        {
            await context.Customers.Where(c => c.Id == one).ExecuteUpdateAsync(s => s.SetProperty(c => c.Name, "rolled back"));
            var refusal = await Assert.ThrowsAsync<CrossShardException>(() => context.Customers.CountAsync(c => c.Id == other));
            Assert.Contains($"concerns '{databases.Sharded.ShardOf(ShardKey.Of(other))}'. Create a context for the other key by CreateDbContext(key)", refusal.Message, StringComparison.Ordinal);
        }

        Assert.NotEqual("rolled back", await context.Customers.Where(c => c.Id == one).Select(c => c.Name).SingleAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_lease_leaves_open_on_any_shard_is_closed_when_its_context_returns_to_the_pool(bool isAsync)
    {
        var one = databases.ConnectionsOf(maxPoolSize: 1);
        await using var services = new ServiceCollection()
            .AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, ReadContract.Primary, connections: one))
            .BuildServiceProvider();
        var factory = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>();
        int[] keys = [.. Enumerable.Range(1, ShopDatabases.Customers).DistinctBy(id => factory.ShardOf(ShardKey.Of(id)))];
        Assert.Equal(4, keys.Length);
        for (var round = 0; round < 3; round++)
        {
            // Each shard has one connection, for which a lease that comes later would wait in vain.
            foreach (var id in keys)
            {
                var abandoning = factory.CreateDbContext();
                if (isAsync)
                {
                    var rows = abandoning.Customers.Where(c => c.Id == id).AsAsyncEnumerable().GetAsyncEnumerator();
                    Assert.True(await rows.MoveNextAsync());
                    await abandoning.DisposeAsync();
                }
                else
                {
                    var rows = abandoning.Customers.Where(c => c.Id == id).AsEnumerable().GetEnumerator();
                    Assert.True(rows.MoveNext());
                    abandoning.Dispose();
                }
            }

            await using var next = factory.CreateDbContext();
            Assert.Null(next.Database.LastRouting());
            foreach (var id in keys.Reverse())
            {
                next.Add(new Order { CustomerId = id, Total = 9 });
                await next.SaveChangesAsync();
                Assert.Equal(1, await next.Orders.Where(o => o.CustomerId == id && o.Total == 9).ExecuteDeleteAsync());
            }
        }
    }

    [Fact]
    public void Keys_and_shards_that_are_not_there_are_named()
    {
        Assert.Contains("'nowhere'", Assert.Throws<ArgumentException>(() => databases.Sharded.CreateDbContextOnShard("nowhere")).Message, StringComparison.Ordinal);
        Assert.Contains("'ShardKey.Of(int)'", Assert.Throws<ShardKeyException>(() => databases.Sharded.CreateDbContext(ShardKey.Of("text"))).Message, StringComparison.Ordinal);
        Assert.Contains("'nowhere'", Assert.Throws<ArgumentException>(() => databases.Sharded.CreateDbContext(ShardKey.Of(1), "nowhere")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_is_null_finds_what_plain_EF_finds()
    {
        int? none = null;
        await using var single = databases.Whole();
        await using var spanning = databases.Sharded.CreateDbContext();
        foreach (var context in new[] { single, spanning })
        {
            Assert.Empty(await context.Customers.Where(c => c.Id == none).ToListAsync());
            Assert.Equal(ShopDatabases.Customers, await context.Customers.CountAsync(c => c.Id != none));
            Assert.Equal(0, await context.Customers.Where(c => c.Id == none).ExecuteDeleteAsync());
            Assert.Equal([3], await context.Customers.Where(c => new int?[] { none, 3 }.Contains(c.Id)).Select(c => c.Id).ToListAsync());
        }
    }

    [Fact]
    public async Task A_key_outside_of_a_closed_range_is_refused_by_a_query_and_by_SaveChanges()
    {
        await using var services = With(shards => new RangeShardMap(Quarters(shards, ShardKey.Of(1_001), ShardKey.Of(1_041))));
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        var refusal = await Assert.ThrowsAsync<ShardKeyException>(() => context.Customers.AnyAsync(c => c.Id == 1_041));
        Assert.Contains("lies outside all ranges of the shard map", refusal.Message, StringComparison.Ordinal);
        context.Add(new Customer { Id = 1_041, Name = "outside" });
        refusal = await Assert.ThrowsAsync<ShardKeyException>(() => context.SaveChangesAsync());
        Assert.Equal(ShardKeyRefusal.OutOfRange, refusal.Reason);
        Assert.Contains("Add a range", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_shard_receives_the_keys_of_its_ranges_and_pins(bool pinned)
    {
        await using var services = With(shards =>
        {
            var ranges = new RangeShardMap(Quarters(shards, null, null));
            return pinned ? new DirectoryShardMap(ranges, [KeyValuePair.Create(ShardKey.Of(1_001), shards[3])]) : ranges;
        });
        var factory = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>();
        await using var context = factory.CreateDbContext();
        context.AddRange(Enumerable.Range(1_001, 40).Select(id => new Customer { Id = id, Name = "placed" }));
        await context.SaveChangesAsync();
        var found = await factory.ForEachShardAsync((c, token) => c.Customers.Where(x => x.Id > 1_000).Select(x => x.Id).Order().ToListAsync(token));
        Assert.Equal(40, await context.Customers.Where(c => c.Id > 1_000).ExecuteDeleteAsync());
        Assert.Equal(pinned ? Enumerable.Range(1_002, 9) : Enumerable.Range(1_001, 10), found[0].Value);
        Assert.Equal(Enumerable.Range(1_011, 10), found[1].Value);
        Assert.Equal(Enumerable.Range(1_021, 10), found[2].Value);
        Assert.Equal(pinned ? Enumerable.Range(1_031, 10).Prepend(1_001) : Enumerable.Range(1_031, 10), found[3].Value);
    }

    private static ShardRange[] Quarters(IReadOnlyList<string> shards, ShardKey? from, ShardKey? to) =>
    [
        new(from, ShardKey.Of(1_011), shards[0]),
        new(ShardKey.Of(1_011), ShardKey.Of(1_021), shards[1]),
        new(ShardKey.Of(1_021), ShardKey.Of(1_031), shards[2]),
        new(ShardKey.Of(1_031), to, shards[3]),
    ];

    private ServiceProvider With(Func<IReadOnlyList<string>, ShardMap> map) => new ServiceCollection()
        .AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, ReadContract.Primary, more: s => s.UseMap(map)))
        .BuildServiceProvider();

    private static string Json(object? value) => JsonSerializer.Serialize(value, _json);

    [GeneratedRegex(@", \w+\.xmin\d*( AS xmin\d*)?")]
    private static partial Regex RowVersion();
}
