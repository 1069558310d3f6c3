using EfScaling.Consistency;
using EfScaling.Routing;
using EfScaling.Tests.Models;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Routing;

public sealed class SessionContractTests : IDisposable
{
    private readonly ShopContext _context = ShopContext.Create();

    public void Dispose() => _context.Dispose();

    [Fact]
    public void Contract_of_the_session_holds_until_its_end()
    {
        using (ConsistencySession.Begin(contract: ReadContract.Primary))
        {
            Assert.Equal(nameof(RoutingReason.PrimaryRequested), Reason());
        }

        Assert.Equal(Reasons.MayLeave, Reason());
    }

    [Fact]
    public void Session_without_contract_leaves_the_default_of_the_context()
    {
        using var session = ConsistencySession.Begin();

        Assert.Null(session.Contract);
        Assert.Equal(Reasons.MayLeave, Reason());
    }

    [Fact]
    public void Inner_session_does_not_inherit_the_contract_of_the_outer_one()
    {
        using var outer = ConsistencySession.Begin(contract: ReadContract.Primary);
        using var inner = ConsistencySession.Begin();

        Assert.Equal(Reasons.MayLeave, Reason());
    }

    [Fact]
    public void Scope_and_query_outweigh_the_session()
    {
        using var session = ConsistencySession.Begin(contract: ReadContract.Primary);

        Assert.Equal(Reasons.MayLeave, Reasons.Of(_context.Orders.WithContract(ReadContract.Session)));
        using (_context.Database.UseContract(ReadContract.Any))
        {
            Assert.Equal(Reasons.MayLeave, Reason());
        }

        Assert.Equal(nameof(RoutingReason.PrimaryRequested), Reason());
    }

    [Fact]
    public void Contract_that_is_not_defined_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>("contract", () => ConsistencySession.Begin(contract: (ReadContract)99));
        Assert.Null(ConsistencySession.Current);
    }

    private string Reason() => Reasons.Of(_context.Orders);
}
