using EfScaling.Routing;
using EfScaling.Tests.Models;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Tests.Routing;

public sealed class RoutingScopeTests : IDisposable
{
    private readonly ShopContext _context = ShopContext.Create();

    public void Dispose() => _context.Dispose();

    [Fact]
    public void UsePrimary_holds_until_its_end()
    {
        using (_context.Database.UsePrimary())
        {
            Assert.Equal(nameof(RoutingReason.PrimaryRequested), Reason());
        }

        Assert.Equal(Reasons.MayLeave, Reason());
    }

    [Fact]
    public void UseMaxStaleness_holds_until_its_end()
    {
        using (_context.Database.UseMaxStaleness(1.Seconds()))
        {
            Assert.Equal("1", Limit());
        }

        Assert.Equal("5", Limit());
    }

    [Fact]
    public void Of_nested_scopes_the_innermost_that_says_something_wins()
    {
        using var outer = _context.Database.UseMaxStaleness(1.Seconds());
        using (_context.Database.UseMaxStaleness(9.Seconds()))
        {
            Assert.Equal("9", Limit());
            using (_context.Database.UsePrimary())
            {
                Assert.Equal(nameof(RoutingReason.PrimaryRequested), Reason());
                using (_context.Database.UseMaxStaleness(3.Seconds()))
                {
                    Assert.Equal(nameof(RoutingReason.PrimaryRequested), Reason());
                }
            }

            Assert.Equal("9", Limit());
        }

        Assert.Equal("1", Limit());
    }

    [Fact]
    public void What_a_query_says_outweighs_the_scope_around_it()
    {
        using var primary = _context.Database.UsePrimary();
        using var staleness = _context.Database.UseMaxStaleness(1.Seconds());

        Assert.Equal(Reasons.MayLeave, Reasons.Of(_context.Orders.AsReplica()));
        Assert.StartsWith("replica if one is at most 8 s old", _context.Orders.AsReplica().WithMaxStaleness(8.Seconds()).ToRoutingString(), StringComparison.Ordinal);
        Assert.Equal(nameof(RoutingReason.PrimaryRequested), Reasons.Of(_context.Orders.WithMaxStaleness(8.Seconds())));
    }

    [Fact]
    public void Closing_an_outer_scope_closes_the_inner_ones()
    {
        var outer = _context.Database.UseMaxStaleness(1.Seconds());
        var inner = _context.Database.UsePrimary();

        outer.Dispose();
        Assert.Equal(Reasons.MayLeave, Reason());

        using var next = _context.Database.UseMaxStaleness(2.Seconds());
        inner.Dispose();
        outer.Dispose();
        Assert.Equal("2", Limit());
    }

    [Fact]
    public async Task Scopes_end_with_the_lease_of_a_pooled_context()
    {
        _context.Database.UsePrimary();
        _context.GetService<ReadRouter>().ResetState();
        Assert.Equal(Reasons.MayLeave, Reason());

        _context.Database.UsePrimary();
        await _context.GetService<ReadRouter>().ResetStateAsync();
        Assert.Equal(Reasons.MayLeave, Reason());
    }

    private string Reason() => Reasons.Of(_context.Orders);

    private string Limit() => _context.Orders.ToRoutingString().Split("at most ")[1].Split(" s old")[0];
}
