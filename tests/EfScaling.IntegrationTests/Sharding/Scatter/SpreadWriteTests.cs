using EfScaling.Routing.Scatter;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Set-based writes over several shards write what they would write in one database, all of it or nothing.</summary>
public sealed class SpreadWriteTests(ShopDatabases databases) : IClassFixture<ShopDatabases>
{
    private static readonly Dictionary<string, Func<ShopContext, Task<int>>> _writes = new()
    {
        ["update of all"] = c => c.Orders.ExecuteUpdateAsync(s => s.SetProperty(o => o.Total, o => o.Total + 1)),
        ["update of some"] = c => c.Orders.Where(o => o.Total > 20).ExecuteUpdateAsync(s => s.SetProperty(o => o.Total, o => o.Total * 2)),
        ["update of some keys"] = c => c.Orders.Where(o => new[] { 1, 2, 3, 4, 5, 6 }.Contains(o.CustomerId)).ExecuteUpdateAsync(s => s.SetProperty(o => o.Total, 7)),
        ["update by others"] = c => c.Customers.Where(x => x.Orders.Any(o => o.Total > 30)).ExecuteUpdateAsync(s => s.SetProperty(x => x.Name, x => x.Name + "!")),
        ["update with a value of others"] = c => c.Customers.ExecuteUpdateAsync(s => s.SetProperty(x => x.Name, x => "orders: " + x.Orders.Count)),
        ["update, synchronous"] = c => Task.FromResult(c.Orders.Where(o => o.Total > 5).ExecuteUpdate(s => s.SetProperty(o => o.Total, o => o.Total - 1))),
        ["delete of some"] = c => c.Lines.Where(l => l.Count % 3 == 0).ExecuteDeleteAsync(),
        ["delete by others"] = c => c.Lines.Where(l => l.Order!.Total > 40).ExecuteDeleteAsync(),
        ["delete by a reference table"] = c => c.Lines.Where(l => l.Product!.Name == "ink").ExecuteDeleteAsync(),
        ["delete of nothing"] = c => c.Lines.Where(l => l.Count < 0).ExecuteDeleteAsync(),
    };

    public static TheoryData<string> Writes => [.. _writes.Keys];

    [Theory]
    [MemberData(nameof(Writes))]
    public async Task Writes_are_those_in_one_database(string name)
    {
        await using var whole = databases.Whole();
        await using var sharded = databases.Sharded.CreateDbContext();
        Assert.Equal(await _writes[name](whole), await _writes[name](sharded));
        Assert.Equal(await StateAsync(whole), await StateAsync(sharded));
    }

    [Fact]
    public async Task What_one_shard_refuses_is_written_on_none()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var before = await StateAsync(context);
        var last = await context.Orders.MaxAsync(o => o.CustomerId);
        await Assert.ThrowsAnyAsync<Exception>(() => context.Orders.ExecuteUpdateAsync(s => s.SetProperty(o => o.Total, o => 1 / (o.CustomerId - last))));
        Assert.Equal(before, await StateAsync(context));
    }

    [Fact]
    public async Task What_depends_on_rows_of_other_shards_is_refused()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var refusal = await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(
            () => context.Orders.Where(o => o.Total > context.Orders.Average(x => x.Total)).ExecuteDeleteAsync());
        Assert.Equal((ScatterRule.WriteFromOtherRows, CrossShardReason.NoShardKey), (refusal.Rule, refusal.Reason));
        Assert.Contains("Load what it depends on first", refusal.Message, StringComparison.Ordinal);
        refusal = await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(() => context.Orders.OrderBy(o => o.Total).Take(3).ExecuteDeleteAsync());
        Assert.Equal(ScatterRule.WriteFromOtherRows, refusal.Rule);
    }

    [Fact]
    public async Task Copies_are_not_written_by_the_rows_that_live_with_them()
    {
        await using var context = databases.Sharded.CreateDbContext();
        foreach (var write in (Func<Task<int>>[])
            [
                () => context.Products.Join(context.Lines.Where(l => l.Count == 13), p => p.Id, l => l.ProductId, (p, _) => p).ExecuteUpdateAsync(s => s.SetProperty(p => p.Name, p => p.Name + "!")),
                () => context.Products.Join(context.Lines.Where(l => l.CustomerId == 7), p => p.Id, l => l.ProductId, (p, _) => p).ExecuteUpdateAsync(s => s.SetProperty(p => p.Name, p => p.Name + "!")),
                () => context.Products.Join(context.Notices, p => p.Id, n => n.Id, (p, _) => p).ExecuteDeleteAsync(),
            ])
        {
            Assert.Equal(ScatterRule.WriteFromOtherRows, (await Assert.ThrowsAsync<CrossShardQueryNotSupportedException>(write)).Rule);
        }
    }

    private static async Task<string> StateAsync(ShopContext context) => string.Join(
        '\n',
        (await context.Orders.AsNoTracking().OrderBy(o => o.CustomerId).ThenBy(o => o.Id).Select(o => new { o.CustomerId, o.Total }).ToListAsync()).Select(o => o.ToString())
            .Concat((await context.Customers.AsNoTracking().OrderBy(c => c.Id).ToListAsync()).Select(c => c.Name))
            .Concat((await context.Lines.AsNoTracking().OrderBy(l => l.CustomerId).ThenBy(l => l.OrderId).ThenBy(l => l.Number).Select(l => new { l.CustomerId, l.Number, l.Count }).ToListAsync()).Select(l => l.ToString())));
}
