using EfScaling.Consistency;
using EfScaling.Projections;

namespace EfScaling.Tests.Projections;

public sealed class ProjectionPositionTests
{
    private static readonly ConsistencyToken _server = new([new ShardPosition(string.Empty, 42, 1, new WalPosition(1000))]);

    [Fact]
    public void Token_carries_the_newest_row_of_each_projection_beside_positions_of_servers()
    {
        var token = _server
            .Merge(ProjectionPosition.TokenOf("orders", 7))
            .Merge(ProjectionPosition.TokenOf("customers", 100))
            .Merge(ProjectionPosition.TokenOf("orders", 5));
        var protector = new ConsistencyTokenProtector([.. Enumerable.Range(0, 32).Select(i => (byte)i)]);

        var read = protector.Unprotect(protector.Protect(token));

        Assert.Equal(7, ProjectionPosition.Find(read, "orders"));
        Assert.Equal(100, ProjectionPosition.Find(read, "customers"));
        Assert.Equal(0, ProjectionPosition.Find(read, "others"));
        Assert.Equal(1000UL, read.Find(string.Empty, 42)!.Value.Position.Value);
    }

    [Fact]
    public void Unknown_token_asks_for_everything() =>
        Assert.Equal(long.MaxValue, ProjectionPosition.Find(ConsistencyToken.Unknown.Merge(ProjectionPosition.TokenOf("orders", 7)), "orders"));

    [Fact]
    public void Position_asks_nothing_of_servers()
    {
        var token = ProjectionPosition.TokenOf("orders", 7);

        Assert.False(token.IsForeignTo(string.Empty, 42));
        Assert.Null(token.Find(string.Empty, 42));
    }

    [Fact]
    public void Session_without_servers_hands_it_on()
    {
        using var session = ConsistencySession.Begin(_server);
        session.Use(ProjectionPosition.TokenOf("orders", 7));

        Assert.Equal(7, ProjectionPosition.Find(session.Token, "orders"));
    }
}
