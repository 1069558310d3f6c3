using EfScaling.Routing;
using EfScaling.Tests.Models;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Routing;

public sealed class ReadOnlyContextTests
{
    private static readonly Dictionary<string, Func<ShopContext, Task>> _writes = new()
    {
        ["SaveChanges"] = c => Task.FromResult(c.SaveChanges()),
        ["SaveChangesAsync"] = c => c.SaveChangesAsync(),
        ["ExecuteUpdate"] = c => Task.FromResult(c.Orders.ExecuteUpdate(s => s.SetProperty(o => o.Total, 0))),
        ["ExecuteUpdateAsync"] = c => c.Orders.ExecuteUpdateAsync(s => s.SetProperty(o => o.Total, 0)),
        ["ExecuteDelete"] = c => Task.FromResult(c.Orders.ExecuteDelete()),
        ["ExecuteDeleteAsync"] = c => c.Orders.ExecuteDeleteAsync(),
        ["ExecuteSql"] = c => Task.FromResult(c.Database.ExecuteSql($"SELECT 1")),
        ["ExecuteSqlAsync"] = c => c.Database.ExecuteSqlAsync($"SELECT 1"),
    };

    public static TheoryData<string> Writes => [.. _writes.Keys];

    [Theory]
    [MemberData(nameof(Writes))]
    public async Task Refuses_to_write_and_says_what_to_call(string write)
    {
        await using var context = await Factory().CreateReadOnlyDbContextAsync();

        var exception = await Assert.ThrowsAsync<InvalidOperationException>(() => _writes[write](context));

        Assert.Contains("CreateReadOnlyDbContext", exception.Message, StringComparison.Ordinal);
        Assert.Contains("CreateDbContext()", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tracks_nothing()
    {
        using var context = Factory().CreateReadOnlyDbContext();

        Assert.Equal(QueryTrackingBehavior.NoTracking, context.ChangeTracker.QueryTrackingBehavior);
        Assert.Equal(Reasons.MayLeave, Reasons.Of(context.Payments));
    }

    [Fact]
    public async Task An_ordinary_context_tracks_and_may_save()
    {
        await using var context = await Factory().CreateDbContextAsync();
        await using var other = Factory().CreateDbContext();

        Assert.Equal(QueryTrackingBehavior.TrackAll, context.ChangeTracker.QueryTrackingBehavior);
        Assert.Equal(0, await context.SaveChangesAsync());
        Assert.Equal(0, await other.SaveChangesAsync());
    }

    [Fact]
    public void Needs_read_replicas()
    {
        var factory = new ReadReplicaDbContextFactory<ShopContext>(new ShopFactory(ShopContext.CreateWithoutReplicas));

        var exception = Assert.Throws<InvalidOperationException>(factory.CreateReadOnlyDbContext);

        Assert.Contains(nameof(ShopContext), exception.Message, StringComparison.Ordinal);
        Assert.Contains("UseReadReplicas", exception.Message, StringComparison.Ordinal);
    }

    private static ReadReplicaDbContextFactory<ShopContext> Factory() => new(new ShopFactory(() => ShopContext.Create()));

    private sealed class ShopFactory(Func<ShopContext> create) : IDbContextFactory<ShopContext>
    {
        public ShopContext CreateDbContext() => create();
    }
}
