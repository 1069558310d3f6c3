using System.Text.Json;
using System.Text.Json.Serialization;
using EfScaling.Routing.Scatter;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Queries over all shards give what one database with all rows gives.</summary>
public sealed class ScatterTests(ShopDatabases databases) : IClassFixture<ShopDatabases>
{
    private static readonly JsonSerializerOptions _json = new() { ReferenceHandler = ReferenceHandler.IgnoreCycles, WriteIndented = false };

    // In each, what is not in an order that it asks for is put in one.
    private static readonly Dictionary<string, Func<ShopContext, IQueryable<object?>>> _lists = new()
    {
        ["all"] = c => c.Customers.OrderBy(x => x.Id),
        ["filter and projection"] = c => c.Orders.Where(o => o.Total > 20).OrderBy(o => o.CustomerId).ThenBy(o => o.Id).Select(o => new { o.Total, Twice = o.Total * 2 }),
        ["descending by numbers of any size"] = c => c.Orders.OrderByDescending(o => o.Total).ThenBy(o => o.CustomerId).ThenBy(o => o.Id).Select(o => new { o.CustomerId, o.Total }),
        ["by texts"] = c => c.Customers.OrderBy(x => x.Name).ThenBy(x => x.Id),
        ["by texts, a page"] = c => c.Customers.OrderByDescending(x => x.Name).ThenBy(x => x.Id).Skip(3).Take(5),
        ["a page by keys that are not shown"] = c => c.Orders.OrderBy(o => o.Total).ThenBy(o => o.CustomerId).ThenBy(o => o.Id).Skip(5).Take(7).Select(o => (object)o.CustomerId),
        ["by an expression"] = c => c.Customers.OrderBy(x => x.Id % 7).ThenByDescending(x => x.Id).Select(x => new { x.Id }),
        ["different values"] = c => c.Orders.Select(o => new { Remainder = o.CustomerId % 3 }).Distinct().OrderBy(x => x.Remainder),
        ["different values with the key"] = c => c.Orders.Select(o => new { o.CustomerId }).Distinct().OrderBy(x => x.CustomerId),
        ["groups by the key"] = c => c.Orders.GroupBy(o => o.CustomerId).Select(g => new { g.Key, Count = g.Count(), Sum = g.Sum(o => o.Total) }).OrderBy(g => g.Key),
        ["groups without the key"] = c => c.Lines.GroupBy(l => l.ProductId)
            .Select(g => new { g.Key, Count = g.Count(), Sum = g.Sum(l => l.Count), Average = g.Average(l => l.Count), Least = g.Min(l => l.Count), Most = g.Max(l => l.Count) }).OrderBy(g => g.Key),
        ["groups, some of them"] = c => c.Lines.GroupBy(l => l.ProductId).Where(g => g.Count() > 3).OrderByDescending(g => g.Sum(l => l.Count)).ThenBy(g => g.Key).Select(g => new { g.Key, All = g.Sum(l => l.Count) }).Take(2),
        ["groups of an expression"] = c => c.Orders.GroupBy(o => o.CustomerId % 5).Select(g => new { g.Key, Average = g.Average(o => o.Total), Customers = g.Select(o => o.CustomerId).Distinct().Count() }).OrderBy(g => g.Key),
        ["groups with an average of all and a sum of some"] = c => c.Orders.GroupBy(o => o.CustomerId % 5).Select(g => new { g.Key, Average = g.Average(o => o.Total), Some = g.Where(o => o.Total > 20).Sum(o => o.Total) }).OrderBy(g => g.Key),
        ["the first of each group"] = c => c.Orders.GroupBy(o => o.CustomerId).Select(g => g.OrderByDescending(o => o.Total).ThenBy(o => o.Id).First()),
        ["the first of each group without the key"] = c => c.Lines.GroupBy(l => l.ProductId).Select(g => g.OrderByDescending(l => l.Count).ThenBy(l => l.CustomerId).ThenBy(l => l.OrderId).ThenBy(l => l.Number).First()),
        ["an inner join"] = c => c.Orders.Where(o => o.Customer!.Name.Contains("r 1")).OrderBy(o => o.CustomerId).ThenBy(o => o.Id).Select(o => new { o.Total, o.Customer!.Name }),
        ["a left join"] = c => from x in c.Customers join o in c.Orders.Where(o => o.Total > 40) on x.Id equals o.CustomerId into os from o in os.DefaultIfEmpty() orderby x.Id, o.Id select new { x.Id, Total = (decimal?)o.Total },
        ["many of many"] = c => c.Customers.SelectMany(x => x.Orders).SelectMany(o => o.Lines).OrderBy(l => l.CustomerId).ThenBy(l => l.OrderId).ThenBy(l => l.Number).Take(20),
        ["with a reference table"] = c => c.Lines.OrderBy(l => l.Product!.Name).ThenBy(l => l.CustomerId).ThenBy(l => l.OrderId).ThenBy(l => l.Number).Select(l => new { l.Product!.Name, l.Count }).Take(15),
        ["existence of others"] = c => c.Customers.Where(x => x.Orders.Any(o => o.Total > 40)).OrderBy(x => x.Id),
        ["without others"] = c => c.Customers.Where(x => !x.Orders.Any(o => o.Total > 40)).OrderBy(x => x.Id),
        ["a scalar of others"] = c => c.Customers.OrderBy(x => x.Id).Select(x => new { x.Id, Orders = x.Orders.Count, Sum = x.Orders.Sum(o => (decimal?)o.Total) }),
        ["what is above the average of all"] = c => c.Orders.Where(o => o.Total > c.Orders.Average(x => x.Total)).OrderBy(o => o.CustomerId).ThenBy(o => o.Id),
        ["what others have somewhere"] = c => c.Customers.Where(x => c.Orders.Where(o => o.Total > 45).Select(o => o.CustomerId + 1).Contains(x.Id)).OrderBy(x => x.Id),
        ["keys among those of others"] = c => c.Customers.Where(x => c.Orders.Where(o => o.Total > 45).Select(o => o.CustomerId).Contains(x.Id)).OrderBy(x => x.Id),
        ["among the best of all"] = c => c.Customers.Where(x => c.Orders.OrderByDescending(o => o.Total).ThenBy(o => o.CustomerId).ThenBy(o => o.Id).Take(5).Select(o => o.CustomerId).Contains(x.Id)).OrderBy(x => x.Id),
        ["all of both"] = c => c.Customers.Select(x => x.Id).Concat(c.Orders.Select(o => o.CustomerId)).OrderBy(x => x).Select(x => (object)x),
        ["union"] = c => c.Customers.Select(x => x.Id % 10).Union(c.Orders.Select(o => o.CustomerId % 15)).OrderBy(x => x).Select(x => (object)x),
        ["union with the key"] = c => c.Customers.Select(x => x.Id).Union(c.Orders.Select(o => o.CustomerId)).OrderBy(x => x).Select(x => (object)x),
        ["intersection"] = c => c.Customers.Select(x => x.Id % 10).Intersect(c.Orders.Select(o => o.CustomerId % 15)).OrderBy(x => x).Select(x => (object)x),
        ["difference"] = c => c.Orders.Select(o => o.CustomerId % 15).Except(c.Customers.Select(x => x.Id % 10)).OrderBy(x => x).Select(x => (object)x),
        ["with a reference table in a union"] = c => c.Customers.Select(x => x.Name).Concat(c.Products.Select(p => p.Name)).OrderBy(x => x),
        ["include"] = c => c.Customers.Include(x => x.Orders.OrderBy(o => o.Id)).ThenInclude(o => o.Lines.OrderBy(l => l.Number)).OrderBy(x => x.Id),
        ["include, a page"] = c => c.Customers.Include(x => x.Orders.OrderBy(o => o.Id)).OrderByDescending(x => x.Name).ThenBy(x => x.Id).Skip(2).Take(6),
        ["include in several queries, a page"] = c => c.Customers.AsSplitQuery().Include(x => x.Orders.OrderBy(o => o.Id)).OrderByDescending(x => x.Name).ThenBy(x => x.Id).Skip(2).Take(6),
        ["filtered include with the first of each"] = c => c.Customers.Include(x => x.Orders.OrderByDescending(o => o.Total).ThenBy(o => o.Id).Take(2)).OrderBy(x => x.Id),
        ["a limit inside"] = c => c.Orders.OrderBy(o => o.Total).ThenBy(o => o.CustomerId).ThenBy(o => o.Id).Take(10).Where(o => o.CustomerId % 2 == 0).OrderBy(o => o.CustomerId).ThenBy(o => o.Id),
        ["a limit inside a join"] = c => from o in c.Orders.OrderBy(o => o.Total).ThenBy(o => o.CustomerId).ThenBy(o => o.Id).Take(10) join x in c.Customers on o.CustomerId equals x.Id orderby o.CustomerId, o.Id select new { x.Name, o.Total },
        ["groups of keys that are the same"] = c => c.Orders.Select(o => new { A = 0, B = 0, o.CustomerId, o.Total }).Distinct().GroupBy(x => new { x.A, x.B }).Select(g => new { g.Key.A, g.Key.B, Count = g.Count(x => x.Total > 20) }).OrderBy(g => g.A),
        ["groups of groups"] = c => c.Orders.GroupBy(o => o.CustomerId).Select(g => g.Count()).GroupBy(n => n).Select(g => new { g.Key, Customers = g.Count() }).OrderBy(g => g.Key),
        ["the first of others"] = c => c.Customers.OrderBy(x => x.Id).Select(x => new { x.Id, First = x.Orders.OrderBy(o => o.Total).ThenBy(o => o.Id).Select(o => (decimal?)o.Total).FirstOrDefault() }),
        ["a page of those after a key"] = c => c.Orders.Where(o => o.Total > 20 || (o.Total == 20 && o.CustomerId > 3)).OrderBy(o => o.Total).ThenBy(o => o.CustomerId).ThenBy(o => o.Id).Take(4),
        ["different values of all of both"] = c => c.Customers.Select(x => new { A = x.Id % 5 }).Concat(c.Orders.Select(o => new { A = o.CustomerId % 7 })).Distinct().OrderBy(x => x.A).Take(5),
        ["a page of a union of all of both"] = c => c.Customers.Select(x => new { A = x.Id % 5, B = x.Id }).Concat(c.Orders.Select(o => new { A = o.CustomerId % 7, B = 1 })).Union(c.Customers.Select(x => new { A = 1, B = 2 })).OrderBy(x => x.A).ThenBy(x => x.B).Take(7),
        ["a page of a page"] = c => c.Customers.OrderBy(x => x.Name).ThenBy(x => x.Id).Skip(1).Take(9).Take(5),
        ["the first ones among the best"] = c => c.Customers.OrderBy(x => x.Name).ThenBy(x => x.Id).Take(9).Where(x => c.Orders.OrderByDescending(o => o.Total).ThenBy(o => o.CustomerId).ThenBy(o => o.Id).Take(9).Select(o => o.CustomerId).Contains(x.Id)).GroupBy(x => 1).Select(g => new { Most = g.Max(x => x.Id), Count = g.Count() }),
        ["the first ones with the rows of one"] = c => from x in c.Customers.OrderBy(x => x.Name).ThenBy(x => x.Id).Take(9) join o in c.Orders.Where(o => o.CustomerId == 7) on x.Id equals o.CustomerId into os from o in os.DefaultIfEmpty() orderby x.Id, o.Id select new { x.Id, Total = (decimal?)o.Total },
        ["a right join"] = c => c.Orders.Where(o => o.Total > 40).RightJoin(c.Customers, o => o.CustomerId, x => x.Id, (o, x) => new { x.Id, Total = (decimal?)o!.Total }).OrderBy(x => x.Id).ThenBy(x => x.Total),
        ["filtered include of the first of each and what is below"] = c => c.Customers.Include(x => x.Orders.OrderByDescending(o => o.Total).ThenBy(o => o.Id).Take(2)).ThenInclude(o => o.Lines.OrderBy(l => l.Number)).OrderBy(x => x.Name).ThenBy(x => x.Id).Take(9),
        ["existence of others somewhere"] = c => c.Customers.Where(x => c.Orders.Any(o => o.CustomerId != x.Id && o.Total == x.Id + 0.5m)).OrderBy(x => x.Id),
        ["scalars of others somewhere"] = c => c.Customers.OrderBy(x => x.Id).Select(x => new { x.Id, Others = c.Orders.Count(o => o.Total > x.Id && o.Total < 60), First = c.Orders.Where(o => o.Id % 7 == x.Id % 7).OrderBy(o => o.Total).ThenBy(o => o.CustomerId).ThenBy(o => o.Id).Select(o => (decimal?)o.Total).FirstOrDefault() }),
        ["a right join behind a limit"] = c => c.Customers.OrderBy(x => x.Name).ThenBy(x => x.Id).Take(5).RightJoin(c.Customers, a => a.Id, x => x.Id, (a, x) => new { x.Id, First = (int?)a!.Id }).OrderBy(x => x.Id),
        ["a page without an end"] = c => c.Customers.OrderBy(x => x.Id).Skip(10).Take(int.MaxValue),
        ["the first groups by a sum of different values"] = c => c.Lines.GroupBy(l => l.CustomerId).OrderBy(g => g.Select(l => l.ProductId).Distinct().Sum()).ThenBy(g => g.Key).Select(g => new { g.Key, Sum = g.Sum(l => l.ProductId) }).Take(9).Where(g => g.Sum > 0).OrderBy(g => g.Key),
        ["groups with the first ones of each"] = c => c.Lines.GroupBy(l => l.ProductId).Select(g => new { g.Key, First = g.OrderBy(l => l.CustomerId).ThenBy(l => l.OrderId).ThenBy(l => l.Number).Select(l => l.OrderId).Take(3).ToList() }).OrderBy(g => g.Key),
    };

    private static readonly Dictionary<string, Func<ShopContext, Task<object?>>> _values = new()
    {
        ["count"] = async c => await c.Orders.CountAsync(),
        ["long count"] = async c => await c.Orders.LongCountAsync(o => o.Total > 10),
        ["sum"] = async c => await c.Orders.SumAsync(o => o.Total),
        ["sum of nothing"] = async c => await c.Orders.Where(o => o.Total > 100000).SumAsync(o => o.Total),
        ["average"] = async c => await c.Orders.AverageAsync(o => o.Total),
        ["average of whole numbers"] = async c => await c.Lines.AverageAsync(l => l.Count),
        ["average of nothing"] = async c => await c.Orders.Where(o => o.Total > 100000).AverageAsync(o => (decimal?)o.Total),
        ["least"] = async c => await c.Orders.MinAsync(o => o.Total),
        ["greatest text"] = async c => await c.Customers.MaxAsync(x => x.Name),
        ["any"] = async c => await c.Orders.AnyAsync(o => o.Total > 45),
        ["none"] = async c => await c.Orders.AnyAsync(o => o.Total > 100000),
        ["all of them"] = async c => await c.Orders.AllAsync(o => o.Total >= 0),
        ["not all of them"] = async c => await c.Orders.AllAsync(o => o.Total > 10),
        ["contained"] = async c => await c.Orders.Select(o => o.CustomerId).ContainsAsync(5),
        ["different values"] = async c => await c.Orders.Select(o => o.CustomerId % 6).Distinct().CountAsync(),
        ["first"] = async c => await c.Orders.OrderByDescending(o => o.Total).ThenBy(o => o.CustomerId).ThenBy(o => o.Id).FirstAsync(),
        ["last"] = async c => await c.Customers.OrderBy(x => x.Id).LastAsync(),
        ["none at all"] = async c => await c.Customers.OrderBy(x => x.Id).FirstOrDefaultAsync(x => x.Name == "nobody"),
        ["the only one"] = async c => await c.Customers.SingleAsync(x => x.Id == c.Customers.Max(y => y.Id)),
        ["the only one of a page"] = async c => await c.Customers.OrderBy(x => x.Name).ThenBy(x => x.Id).Skip(3).Take(1).SingleAsync(),
        ["a count of all of both"] = async c => await c.Customers.Select(x => x.Name).Concat(c.Products.Select(p => p.Name)).Concat(c.Lines.Select(l => l.Product!.Name)).CountAsync(),
        ["a sum of all of both"] = async c => await c.Customers.Select(x => x.Id % 5).Concat(c.Orders.Select(o => o.CustomerId)).SumAsync(),
        ["how many are among the first"] = async c => await c.Orders.OrderBy(o => o.Total).Take(12).CountAsync(),
        ["a count of a page of different values"] = async c => await c.Orders.Select(o => o.CustomerId % 9).Distinct().OrderBy(x => x).Skip(2).Take(4).CountAsync(),
    };

    public static TheoryData<string> Lists => [.. _lists.Keys];

    public static TheoryData<string> Values => [.. _values.Keys];

    [Fact]
    public async Task Pages_of_rows_that_an_order_does_not_tell_apart_have_no_row_in_common()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var all = await context.Lines.OrderBy(l => l.Count).ThenBy(l => l.CustomerId).ThenBy(l => l.OrderId).ThenBy(l => l.Number).Select(l => new { l.CustomerId, l.OrderId, l.Number }).ToListAsync();
        var (pages, included) = (all.Take(0).ToList(), all.Take(0).ToList());
        for (var first = 0; first < all.Count; first += 7)
        {
            pages.AddRange(await context.Lines.OrderBy(l => l.Count).Skip(first).Take(7).Select(l => new { l.CustomerId, l.OrderId, l.Number }).ToListAsync());

            // What is joined with a page orders it anew.
            var page = await context.Lines.AsNoTracking().Include(l => l.Product).OrderBy(l => l.Count).Skip(first).Take(7).ToListAsync();
            included.AddRange(page.OrderBy(l => l.Count).ThenBy(l => l.CustomerId).ThenBy(l => l.OrderId).ThenBy(l => l.Number).Select(l => new { l.CustomerId, l.OrderId, l.Number }));
        }

        Assert.Equal(all, pages);
        Assert.Equal(all, included);
        Assert.Contains("""ORDER BY l."Count", l."CustomerId", l."OrderId", l."Number" LIMIT""", context.Lines.OrderBy(l => l.Count).Take(5).ToRoutingString(), StringComparison.Ordinal);

        // What has no key of its own decides nothing.
        Assert.Contains("""ORDER BY count(*)::int LIMIT""", context.Orders.GroupBy(o => o.CustomerId).Select(g => new { g.Key, Count = g.Count() }).OrderBy(g => g.Count).Take(5).ToRoutingString(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Lists))]
    public async Task Lists_are_those_of_one_database(string name)
    {
        await using var whole = databases.Whole();
        await using var sharded = databases.Sharded.CreateDbContext();
        var expected = JsonSerializer.Serialize(Sorted(name, await _lists[name](whole).ToListAsync()), _json);
        Assert.Equal(expected, JsonSerializer.Serialize(Sorted(name, await _lists[name](sharded).ToListAsync()), _json));
        await using var synchronous = databases.Sharded.CreateDbContext();
        Assert.Equal(expected, JsonSerializer.Serialize(Sorted(name, [.. _lists[name](synchronous)]), _json));
        Assert.True(expected.Length > 15, $"too little to compare: {expected}");
    }

    [Theory]
    [MemberData(nameof(Values))]
    public async Task Values_are_those_of_one_database(string name)
    {
        await using var whole = databases.Whole();
        await using var sharded = databases.Sharded.CreateDbContext();
        Assert.Equal(JsonSerializer.Serialize(await _values[name](whole), _json), JsonSerializer.Serialize(await _values[name](sharded), _json));
    }

    [Fact]
    public async Task Numbers_of_rows_below_zero_are_refused_as_one_database_does()
    {
        var less = -1;
        await using var whole = databases.Whole();
        await using var sharded = databases.Sharded.CreateDbContext();
        foreach (var page in (Func<ShopContext, IQueryable<Customer>>[])[c => c.Customers.OrderBy(x => x.Id).Skip(less), c => c.Customers.OrderBy(x => x.Id).Skip(5).Take(less), c => c.Customers.OrderBy(x => x.Id).Skip(less).Take(5)])
        {
            await Assert.ThrowsAnyAsync<Exception>(() => page(whole).ToListAsync());
            Assert.Contains("Skip(...)", (await Assert.ThrowsAsync<InvalidOperationException>(() => page(sharded).ToListAsync())).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Subqueries_among_listed_values_are_refused_and_find_no_shard()
    {
        await using var sharded = databases.Sharded.CreateDbContext();
        foreach (var query in (IQueryable<int>[])
            [
                sharded.Customers.Select(x => new[] { x.Id, sharded.Orders.Count(o => o.Total > x.Id) }.Sum()),
                sharded.Customers.Where(x => x.Id == 3).Select(x => new[] { x.Id, sharded.Orders.Count(o => o.Total > x.Id) }.Sum()),
            ])
        {
            Assert.Equal(ScatterRule.NotUnderstood, (await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(() => query.ToListAsync())).Rule);
        }
    }

    private static IEnumerable<object?> Sorted(string name, List<object?> rows) =>
        name.StartsWith("the first of each", StringComparison.Ordinal) ? rows.OrderBy(r => JsonSerializer.Serialize(r, _json), StringComparer.Ordinal) : rows;
}
