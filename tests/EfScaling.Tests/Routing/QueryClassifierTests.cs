using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Tests.Models;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Routing;

public sealed class QueryClassifierTests
{
    private static readonly Dictionary<string, Func<ShopContext, IQueryable>> _queries = new()
    {
        ["table"] = c => c.Orders,
        ["no tracking"] = c => c.Orders.AsNoTracking(),
        ["identity resolution"] = c => c.Orders.AsNoTrackingWithIdentityResolution(),
        ["filter"] = c => c.Orders.Where(o => o.Total > 10),
        ["projection"] = c => c.Orders.Select(o => new { o.Id, o.Total }),
        ["join"] = c => c.Orders.Join(c.Customers, o => o.CustomerId, x => x.Id, (o, x) => new { o.Total, x.Name }),
        ["include"] = c => c.Customers.Include(x => x.Orders).ThenInclude(o => o.Products),
        ["split query"] = c => c.Customers.Include(x => x.Orders).AsSplitQuery(),
        ["global filter"] = c => c.Products,
        ["many to many"] = c => c.Orders.Where(o => o.Products.Any(p => p.Name == "x")),
        ["subquery"] = c => c.Customers.Where(x => x.Orders.Count > 3),
        ["aggregates"] = c => c.Orders.GroupBy(o => o.CustomerId).Select(g => new { g.Key, Sum = g.Sum(o => o.Total), Average = g.Average(o => o.Total), Count = g.Count(), Most = g.Max(o => o.Total) }),
        ["distinct and order"] = c => c.Orders.Select(o => o.Total).Distinct().OrderBy(t => t).Skip(1).Take(2),
        ["union"] = c => c.Orders.Select(o => o.Id).Union(c.Customers.Select(x => x.Id)),
        ["contains a list"] = c => c.Orders.Where(o => new List<int> { 1, 2, 3 }.Contains(o.Id)),
        ["contains a column"] = c => c.Products.Where(p => p.Labels.Contains("x")),
        ["array length"] = c => c.Products.Where(p => p.Labels.Count > 1),
        ["text"] = c => c.Customers.Where(x => x.Name.Replace("a", "b").StartsWith("ab") && x.Name.Trim().Length > 2 && x.Name.Substring(1).Contains("bc") && EF.Functions.ILike(x.Name, "%c%")),
        ["dates"] = c => c.Customers.Where(x => x.JoinedAt.Date == x.JoinedAt && x.JoinedAt.Year > 2_000 && x.JoinedAt.AddDays(1) > x.JoinedAt),
#pragma warning disable RS0030 // The query is translated to the server's now(); nothing reads this machine's clock.
        ["present time"] = c => c.Customers.Where(x => x.JoinedAt < DateTime.UtcNow),
#pragma warning restore RS0030
        ["new guid"] = c => c.Customers.Select(x => Guid.NewGuid()),
        ["mathematics"] = c => c.Orders.Select(o => Math.Abs(Math.Round(o.Total)) + Math.Max(o.Id, 3)),
        ["random"] = c => c.Orders.OrderBy(o => EF.Functions.Random()),
        ["JSON"] = c => c.Customers.Where(x => x.Preferences.Theme == "dark"),
        ["owned"] = c => c.Customers.Where(x => x.Address.City == "Rome"),
        ["view"] = c => c.Set<OrderTotal>(),
        ["window and lateral"] = c => c.Customers.Select(x => x.Orders.OrderBy(o => o.Total).Take(2).ToList()),
        ["raw SQL"] = c => c.Orders.FromSql($"SELECT * FROM \"Orders\""),
        ["raw SQL composed"] = c => c.Orders.FromSql($"SELECT * FROM \"Orders\"").Where(o => o.Total > 1).OrderBy(o => o.Id),
        ["raw SQL in a subquery"] = c => c.Customers.Where(x => c.Orders.FromSql($"SELECT * FROM \"Orders\"").Any(o => o.CustomerId == x.Id)),
        ["raw SQL joined"] = c => c.Customers.Join(c.Orders.FromSql($"SELECT * FROM \"Orders\""), x => x.Id, o => o.CustomerId, (x, o) => x.Name),
        ["raw scalars composed"] = c => c.Database.SqlQuery<int>($"SELECT 1 AS \"Value\"").Where(v => v > 0),
        ["unknown function"] = c => c.Orders.Where(o => ShopContext.Score(o.Id) > 1),
        ["unknown function in a projection"] = c => c.Orders.Select(o => ShopContext.Score(o.Id)),
        ["unknown function in an order"] = c => c.Orders.OrderBy(o => ShopContext.Score(o.Id)),
        ["unknown function in a known one"] = c => c.Orders.Select(o => Math.Abs(ShopContext.Score(o.Id))),
        ["unknown function in a subquery"] = c => c.Customers.Where(x => x.Orders.Any(o => ShopContext.Score(o.Id) > 1)),
        ["unknown function in an aggregate"] = c => c.Orders.GroupBy(o => o.CustomerId).Select(g => g.Max(o => ShopContext.Score(o.Id))),
        ["stable function"] = c => c.Orders.Where(o => ShopContext.Rank(o.Id) > 1),
        ["stable function with an unknown one"] = c => c.Orders.Where(o => ShopContext.Rank(ShopContext.Score(o.Id)) > 1),
        ["stable function of a schema"] = c => c.Orders.Where(o => ShopContext.Distance(o.Id) > 1),
        ["built-in function that writes"] = c => c.Orders.Select(o => ShopContext.NextValue("s")),
        ["built-in function that reads"] = c => c.Customers.Select(x => ShopContext.Upper(x.Name)),
        ["own function with a built-in name"] = c => c.Customers.Select(x => ShopContext.Lower(x.Name)),
        ["unknown function of rows"] = c => c.TotalsOf(1),
        ["unknown function of rows applied"] = c => c.Customers.SelectMany(x => c.TotalsOf(x.Id)),
        ["stable function of rows"] = c => c.StableTotalsOf(1),
        ["unlogged table"] = c => c.Set<Session>(),
        ["unlogged table in a subquery"] = c => c.Orders.Where(o => c.Set<Session>().Any(s => s.Id == o.Id)),
        ["table marked for the primary"] = c => c.Set<Audit>().AsNoTracking(),
        ["system catalog"] = c => c.Set<CatalogTable>(),
        ["marked table and raw SQL"] = c => c.Set<Audit>().FromSql($"SELECT 1").Select(a => a.Id).Concat(c.Set<Audit>().Select(a => a.Id)),
        ["TPT"] = c => c.Payments,
        ["TPT without tracking"] = c => c.Payments.AsNoTracking(),
        ["TPT projected"] = c => c.Payments.Select(p => p.Amount),
        ["TPT in a projection"] = c => c.Payments.Select(p => new { p.Amount, Entity = p }),
        ["TPT beside a protected entity"] = c => c.Orders.Join(c.Payments, o => o.Id, p => p.Id, (o, p) => new { Order = o, Payment = p }),
        ["TPT by type"] = c => c.Payments.OfType<CardPayment>(),
    };

    [Theory]
    [InlineData("table", Reasons.MayLeave)]
    [InlineData("no tracking", Reasons.MayLeave)]
    [InlineData("identity resolution", Reasons.MayLeave)]
    [InlineData("filter", Reasons.MayLeave)]
    [InlineData("projection", Reasons.MayLeave)]
    [InlineData("join", Reasons.MayLeave)]
    [InlineData("include", Reasons.MayLeave)]
    [InlineData("split query", Reasons.MayLeave)]
    [InlineData("global filter", Reasons.MayLeave)]
    [InlineData("many to many", Reasons.MayLeave)]
    [InlineData("subquery", Reasons.MayLeave)]
    [InlineData("aggregates", Reasons.MayLeave)]
    [InlineData("distinct and order", Reasons.MayLeave)]
    [InlineData("union", Reasons.MayLeave)]
    [InlineData("contains a list", Reasons.MayLeave)]
    [InlineData("contains a column", Reasons.MayLeave)]
    [InlineData("array length", Reasons.MayLeave)]
    [InlineData("text", Reasons.MayLeave)]
    [InlineData("dates", Reasons.MayLeave)]
    [InlineData("present time", Reasons.MayLeave)]
    [InlineData("new guid", Reasons.MayLeave)]
    [InlineData("mathematics", Reasons.MayLeave)]
    [InlineData("random", Reasons.MayLeave)]
    [InlineData("JSON", Reasons.MayLeave)]
    [InlineData("owned", Reasons.MayLeave)]
    [InlineData("view", Reasons.MayLeave)]
    [InlineData("window and lateral", Reasons.MayLeave)]
    [InlineData("raw SQL", nameof(RoutingReason.RawSql))]
    [InlineData("raw SQL composed", nameof(RoutingReason.RawSql))]
    [InlineData("raw SQL in a subquery", nameof(RoutingReason.RawSql))]
    [InlineData("raw SQL joined", nameof(RoutingReason.RawSql))]
    [InlineData("raw scalars composed", nameof(RoutingReason.RawSql))]
    [InlineData("unknown function", nameof(RoutingReason.UnknownFunction))]
    [InlineData("unknown function in a projection", nameof(RoutingReason.UnknownFunction))]
    [InlineData("unknown function in an order", nameof(RoutingReason.UnknownFunction))]
    [InlineData("unknown function in a known one", nameof(RoutingReason.UnknownFunction))]
    [InlineData("unknown function in a subquery", nameof(RoutingReason.UnknownFunction))]
    [InlineData("unknown function in an aggregate", nameof(RoutingReason.UnknownFunction))]
    [InlineData("stable function", Reasons.MayLeave)]
    [InlineData("stable function with an unknown one", nameof(RoutingReason.UnknownFunction))]
    [InlineData("stable function of a schema", Reasons.MayLeave)]
    [InlineData("built-in function that writes", nameof(RoutingReason.UnknownFunction))]
    [InlineData("built-in function that reads", Reasons.MayLeave)]
    [InlineData("own function with a built-in name", nameof(RoutingReason.UnknownFunction))]
    [InlineData("unknown function of rows", nameof(RoutingReason.UnknownFunction))]
    [InlineData("unknown function of rows applied", nameof(RoutingReason.UnknownFunction))]
    [InlineData("stable function of rows", Reasons.MayLeave)]
    [InlineData("unlogged table", nameof(RoutingReason.PrimaryOnlyTable))]
    [InlineData("unlogged table in a subquery", nameof(RoutingReason.PrimaryOnlyTable))]
    [InlineData("table marked for the primary", nameof(RoutingReason.PrimaryOnlyTable))]
    [InlineData("system catalog", nameof(RoutingReason.PrimaryOnlyTable))]
    [InlineData("marked table and raw SQL", nameof(RoutingReason.PrimaryOnlyTable))]
    [InlineData("TPT", nameof(RoutingReason.TrackedWithoutToken))]
    [InlineData("TPT without tracking", Reasons.MayLeave)]
    [InlineData("TPT projected", Reasons.MayLeave)]
    [InlineData("TPT in a projection", nameof(RoutingReason.TrackedWithoutToken))]
    [InlineData("TPT beside a protected entity", nameof(RoutingReason.TrackedWithoutToken))]
    [InlineData("TPT by type", nameof(RoutingReason.TrackedWithoutToken))]
    public void Finds_what_keeps_a_query_on_the_primary(string query, string expected) => Assert.Equal(expected, Route(query));

    [Theory]
    [InlineData(nameof(TrackedReads.Primary), "table", nameof(RoutingReason.TrackedRead))]
    [InlineData(nameof(TrackedReads.Primary), "filter", nameof(RoutingReason.TrackedRead))]
    [InlineData(nameof(TrackedReads.Primary), "include", nameof(RoutingReason.TrackedRead))]
    [InlineData(nameof(TrackedReads.Primary), "TPT", nameof(RoutingReason.TrackedRead))]
    [InlineData(nameof(TrackedReads.Primary), "no tracking", Reasons.MayLeave)]
    [InlineData(nameof(TrackedReads.Primary), "projection", Reasons.MayLeave)]
    [InlineData(nameof(TrackedReads.Primary), "view", Reasons.MayLeave)]
    [InlineData(nameof(TrackedReads.Primary), "raw SQL", nameof(RoutingReason.RawSql))]
    [InlineData(nameof(TrackedReads.ReplicaUnprotected), "table", Reasons.MayLeave)]
    [InlineData(nameof(TrackedReads.ReplicaUnprotected), "TPT", Reasons.MayLeave)]
    [InlineData(nameof(TrackedReads.ReplicaUnprotected), "unlogged table", nameof(RoutingReason.PrimaryOnlyTable))]
    [InlineData(nameof(TrackedReads.ReplicaUnprotected), "unknown function", nameof(RoutingReason.UnknownFunction))]
    public void Goes_by_the_rule_for_tracked_reads(string trackedReads, string query, string expected) =>
        Assert.Equal(expected, Route(query, Enum.Parse<TrackedReads>(trackedReads)));

    [Fact]
    public void The_rule_for_tracked_reads_holds_for_contexts_that_track_nothing_by_default()
    {
        using var context = ShopContext.Create();
        context.ChangeTracker.QueryTrackingBehavior = QueryTrackingBehavior.NoTracking;

        Assert.Equal(Reasons.MayLeave, Reasons.Of(context.Payments));
        Assert.Equal(nameof(RoutingReason.TrackedWithoutToken), Reasons.Of(context.Payments.AsTracking()));
    }

    private static string Route(string query, TrackedReads trackedReads = TrackedReads.ReplicaWhenProtected)
    {
        using var context = ShopContext.Create(r => r.TrackedReads(trackedReads));
        return Reasons.Of(_queries[query](context));
    }
}
