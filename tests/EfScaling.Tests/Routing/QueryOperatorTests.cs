using EfScaling.Routing;
using EfScaling.Tests.Models;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Routing;

public sealed class QueryOperatorTests
{
    private const string Comment = "--";

    private static readonly Dictionary<string, Func<IQueryable<Order>, IQueryable<Order>>> _operators = new()
    {
        ["AsPrimary"] = q => q.AsPrimary(),
        ["AsReplica"] = q => q.AsReplica(),
        ["WithMaxStaleness"] = q => q.WithMaxStaleness(1.Seconds()),
        ["Cacheable"] = q => q.Cacheable(1.Seconds()).WithCacheTag("tag").VaryBy("value").AsExpensive(),
        ["OnShard"] = q => q.OnShard("south"),
        ["all"] = q => q.AsReplica().WithMaxStaleness(1.Seconds()).AsPrimary(),
        ["between others"] = q => q.Where(o => o.Id > 1).AsReplica().OrderBy(o => o.Id).AsSplitQuery(),
        ["on a subquery"] = q => q.Where(o => o.Products.AsQueryable().AsReplica().Any()),
    };

    public static TheoryData<string> Operators => [.. _operators.Keys];

    [Theory]
    [MemberData(nameof(Operators))]
    public void Leaves_no_comment_in_the_SQL(string name)
    {
        using var context = ShopContext.Create();
        var sql = _operators[name](context.Orders).ToQueryString();

        Assert.DoesNotContain(Comment, sql, StringComparison.Ordinal);
        Assert.DoesNotContain("EfScaling", sql, StringComparison.Ordinal);
        Assert.StartsWith("SELECT", sql, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Operators))]
    public void Leaves_the_tags_of_the_user(string name)
    {
        using var context = ShopContext.Create();
        var lines = _operators[name](context.Orders.TagWith("first\nof two lines")).TagWith("last").ToQueryString().ReplaceLineEndings("\n").Split('\n');

        Assert.Equal(["-- first", "-- of two lines", "-- last"], lines.Where(l => l.StartsWith(Comment, StringComparison.Ordinal)));
        Assert.Contains(lines, l => l.StartsWith("SELECT", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, l => l.Contains("EfScaling", StringComparison.Ordinal));
    }

    [Fact]
    public void The_SQL_is_the_one_of_plain_EF()
    {
        using var with = ShopContext.Create(r => r.TrackedReads(EfScaling.Replication.TrackedReads.Primary));
        using var without = ShopContext.CreateWithoutReplicas();

        Assert.Equal(Sql(without), Sql(with));

        static string Sql(ShopContext context) => context.Customers.Include(c => c.Orders).TagWith("a tag").Where(c => c.Name != "x").ToQueryString();
    }

    [Theory]
    [InlineData("AsPrimary")]
    [InlineData("AsReplica")]
    [InlineData("WithMaxStaleness")]
    [InlineData("all")]
    [InlineData("between others")]
    public void Is_harmless_without_read_replicas(string name)
    {
        using var context = ShopContext.CreateWithoutReplicas();

        Assert.Contains("SELECT", _operators[name](context.Orders).ToQueryString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AsPrimary", nameof(RoutingReason.PrimaryRequested))]
    [InlineData("AsReplica", Reasons.MayLeave)]
    [InlineData("WithMaxStaleness", Reasons.MayLeave)]
    [InlineData("all", nameof(RoutingReason.PrimaryRequested))]
    [InlineData("between others", Reasons.MayLeave)]
    [InlineData("on a subquery", Reasons.MayLeave)]
    public void Says_where_a_query_runs(string name, string expected)
    {
        using var context = ShopContext.Create();

        Assert.Equal(expected, Reasons.Of(_operators[name](context.Orders)));
    }

    [Fact]
    public void AsPrimary_inside_a_lambda_holds_for_the_whole_query()
    {
        using var context = ShopContext.Create();

        Assert.Equal(nameof(RoutingReason.PrimaryRequested), Reasons.Of(context.Customers.Where(c => c.Orders.AsQueryable().AsPrimary().Any())));
    }

    [Fact]
    public void AsReplica_vouches_for_SQL_and_functions_of_the_application()
    {
        using var context = ShopContext.Create();

        Assert.Equal(Reasons.MayLeave, Reasons.Of(context.Orders.FromSql($"SELECT * FROM \"Orders\"").AsNoTracking().AsReplica()));
        Assert.Equal(nameof(RoutingReason.TrackedWithoutToken), Reasons.Of(context.Orders.FromSql($"SELECT * FROM \"Orders\"").AsReplica()));
        Assert.Equal(Reasons.MayLeave, Reasons.Of(context.Orders.Where(o => ShopContext.Score(o.Id) > 1).AsReplica()));
    }

    [Fact]
    public void AsReplica_sends_nothing_to_replicas_that_they_lack_or_that_could_overwrite_newer_rows()
    {
        using var context = ShopContext.Create();

        Assert.Equal(nameof(RoutingReason.PrimaryOnlyTable), Reasons.Of(context.Set<Audit>().AsReplica()));
        Assert.Equal(nameof(RoutingReason.PrimaryOnlyTable), Reasons.Of(context.Set<Audit>().Where(a => ShopContext.Score(a.Id) > 1).AsReplica()));
        Assert.Equal(nameof(RoutingReason.TrackedWithoutToken), Reasons.Of(context.Payments.AsReplica()));
    }

    [Theory]
    [InlineData(250, "0.25")]
    [InlineData(1_000, "1")]
    [InlineData(1_234, "1.2")]
    [InlineData(60_000, "60")]
    public void WithMaxStaleness_sets_the_limit_of_a_query(int milliseconds, string seconds)
    {
        using var context = ShopContext.Create();

        Assert.StartsWith($"replica if one is at most {seconds} s old", context.Orders.WithMaxStaleness(milliseconds.Milliseconds()).ToRoutingString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_limit_of_zero_asks_for_the_primary()
    {
        using var context = ShopContext.Create();

        Assert.Equal(nameof(RoutingReason.PrimaryRequested), Reasons.Of(context.Orders.WithMaxStaleness(TimeSpan.Zero)));
        using (context.Database.UseMaxStaleness(TimeSpan.Zero))
        {
            Assert.Equal(nameof(RoutingReason.PrimaryRequested), Reasons.Of(context.Orders));
        }
    }

    [Fact]
    public void The_shorter_of_two_limits_wins()
    {
        using var context = ShopContext.Create();

        Assert.StartsWith(
            "replica if one is at most 2 s old",
            context.Orders.WithMaxStaleness(9.Seconds()).WithMaxStaleness(2.Seconds()).WithMaxStaleness(3.Seconds()).ToRoutingString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public void WithMaxStaleness_refuses_a_negative_limit()
    {
        using var context = ShopContext.Create();

        Assert.Equal("limit", Assert.Throws<ArgumentOutOfRangeException>(() => context.Orders.WithMaxStaleness(-1.Seconds())).ParamName);
        Assert.Equal("limit", Assert.Throws<ArgumentOutOfRangeException>(() => context.Database.UseMaxStaleness(-1.Seconds())).ParamName);
    }

    [Fact]
    public void ToRoutingString_names_each_node_with_its_reason_and_no_secret()
    {
        using var context = ShopContext.Create();

        var text = context.Orders.ToRoutingString();

        Assert.Equal(
            """
            replica if one is at most 5 s old, else primary primary.invalid:5432
              primary.invalid:5432: NeverMeasured
              replica.invalid:5432: NeverMeasured
            """.ReplaceLineEndings("\n"),
            text);
    }

    [Fact]
    public void ToRoutingString_without_read_replicas_says_what_to_call()
    {
        using var context = ShopContext.CreateWithoutReplicas();

        Assert.Contains("UseReadReplicas", Assert.Throws<InvalidOperationException>(() => context.Orders.ToRoutingString()).Message, StringComparison.Ordinal);
        Assert.Contains("UseReadReplicas", Assert.Throws<InvalidOperationException>(() => context.Database.UsePrimary()).Message, StringComparison.Ordinal);
        Assert.Contains("UseReadReplicas", Assert.Throws<InvalidOperationException>(() => context.Database.LastRouting()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Explaining_a_query_is_no_routing()
    {
        using var context = ShopContext.Create();
        context.Orders.ToRoutingString();

        Assert.Null(context.Database.LastRouting());
    }
}
