using System.Collections;
using System.Collections.Immutable;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Tests.Caching;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Routing.Shards;

/// <summary>What the SQL tree of a query is known to say about the shard keys of the rows that matter.</summary>
public sealed class ShardPlanReaderTests
{
    // What each use of a table comes to: the values that its key can have, or '?'.
    private static readonly Dictionary<string, (Func<TenantsContext, IQueryable> Query, string Plan)> _queries = new()
    {
        ["constant"] = (c => c.Orders.Where(o => o.TenantId == 5), "Orders 5"),
        ["parameter"] = (c => c.Orders.Where(o => o.TenantId == AnId), "Orders @"),
        ["no key"] = (c => c.Orders.Where(o => o.Total > 5), "Orders ?"),
        ["range of keys"] = (c => c.Orders.Where(o => o.TenantId > 5), "Orders ?"),
        ["another key"] = (c => c.Orders.Where(o => o.TenantId != 5), "Orders ?"),
        ["negated"] = (c => c.Orders.Where(o => !(o.TenantId == 5 && o.Total > 1)), "Orders ?"),
        ["computed"] = (c => c.Orders.Where(o => o.TenantId + 1 == 5), "Orders ?"),
        ["and"] = (c => c.Orders.Where(o => o.TenantId == 5 && o.Total > 5), "Orders 5"),
        ["or with the same column"] = (c => c.Orders.Where(o => o.TenantId == 5 || o.TenantId == 6), "Orders 5|6"),
        ["or with another column"] = (c => c.Orders.Where(o => o.TenantId == 5 || o.Total > 5), "Orders ?"),
        ["or of arms that all name it"] = (c => c.Orders.Where(o => (o.TenantId == 5 && o.Total > 1) || (o.Total < 1 && o.TenantId == 6)), "Orders 5|6"),
        ["list"] = (c => c.Orders.Where(o => Ids.Contains(o.TenantId)), "Orders @*"),
        ["list of constants"] = (c => c.Orders.Where(o => new[] { 1, 2 }.Contains(o.TenantId)), "Orders 1|2"),
        ["list negated"] = (c => c.Orders.Where(o => !Ids.Contains(o.TenantId)), "Orders ?"),
        ["compared as a wider number"] = (c => c.Orders.Where(o => o.TenantId == 5L), "Orders 5"),
        ["compared with another column"] = (c => c.Orders.Where(o => o.TenantId == o.Id && o.Id == 5), "Orders 5"),
        ["compared with a column that may be null"] = (c => c.Orders.Where(o => o.ParentTenant == o.TenantId && o.ParentTenant == 5), "Orders 5"),
        ["reference table"] = (c => c.Products.Where(p => p.Name == "x"), ""),
        ["default shard"] = (c => c.Settings.Where(s => s.TenantId == 5), "Settings default"),
        ["navigation to the parent"] = (c => c.Orders.Where(o => o.Tenant!.Id == 5), "Orders 5; Tenants 5"),
        ["navigation with a column of the parent"] = (c => c.Orders.Where(o => o.TenantId == 5 && o.Tenant!.Name == "x"), "Orders 5; Tenants 5"),
        ["key by the parent"] = (c => c.Lines.Where(l => l.Order!.TenantId == AnId), "Lines @; Orders @"),
        ["join"] = (c => c.Orders.Join(c.Lines, o => new { o.TenantId, o.Id }, l => new { l.TenantId, Id = l.OrderId }, (o, l) => new { o.Total, l.Price, l.TenantId }).Where(x => x.TenantId == 5), "Orders 5; Lines 5"),
        ["join without the key"] = (c => c.Orders.Join(c.Lines, o => o.Id, l => l.OrderId, (o, l) => new { o.TenantId, l.Price }).Where(x => x.TenantId == 5), "Orders 5; Lines ?"),
        ["join through a third"] = (c => c.Tenants.Where(t => t.Id == 5).SelectMany(t => t.Orders).SelectMany(o => o.Lines), "Tenants 5; Orders 5; Lines 5"),
        ["reference joined"] = (c => c.Lines.Where(l => l.TenantId == 5).Select(l => l.Product!.Name), "Lines 5"),
        ["include"] = (c => c.Orders.Include(o => o.Lines).Where(o => o.TenantId == 5), "Orders 5; Lines 5"),
        ["include with a page"] = (c => c.Orders.Include(o => o.Lines).Where(o => o.TenantId == 5).OrderBy(o => o.Id).Take(3), "Orders 5; Lines 5"),
        ["include of a page, filtered behind it"] = (c => c.Orders.OrderBy(o => o.Total).Take(3).Where(o => o.TenantId == 5).Select(o => o.Id), "Orders ?"),
        ["left join"] = (c => c.Tenants.Where(t => t.Id == 5).LeftJoin(c.Orders, t => t.Id, o => o.TenantId, (t, o) => new { t.Name, o!.Total }), "Tenants 5; Orders 5"),
        ["left join, inner side named alone"] = (c => c.Tenants.LeftJoin(c.Orders.Where(o => o.TenantId == 5), t => t.Id, o => o.TenantId, (t, o) => new { t.Name, o!.Total }), "Tenants ?; Orders 5"),
        ["right join"] = (c => c.Tenants.RightJoin(c.Orders.Where(o => o.TenantId == 5), t => t.Id, o => o.TenantId, (t, o) => o.Total), "Tenants ?; Orders 5"),
        ["exists, correlated"] = (c => c.Tenants.Where(t => t.Id == 5 && t.Orders.Any(o => o.Total > 1)), "Tenants 5; Orders 5"),
        ["not exists, correlated"] = (c => c.Tenants.Where(t => t.Id == 5 && !t.Orders.Any()), "Tenants 5; Orders 5"),
        ["exists, not correlated"] = (c => c.Tenants.Where(t => t.Id == 5 && c.Orders.Any(o => o.Total > 1)), "Tenants 5; Orders ?"),
        ["exists of another key"] = (c => c.Tenants.Where(t => t.Id == 5 && c.Orders.Any(o => o.TenantId == 6)), "Tenants 5; Orders 6"),
        ["exists that names the key for the outside"] = (c => c.Tenants.Where(t => t.Orders.Any(o => o.TenantId == 5)), "Tenants ?; Orders 5"),
        ["scalar subquery"] = (c => c.Tenants.Where(t => t.Id == AnId).Select(t => t.Orders.Count), "Tenants @; Orders @"),
        ["subquery in an order"] = (c => c.Tenants.Where(t => t.Id == 5).OrderBy(t => t.Orders.Max(o => o.Total)), "Tenants 5; Orders 5"),
        ["contains of a subquery"] = (c => c.Tenants.Where(t => t.Id == 5 && c.Orders.Where(o => o.TenantId == 5).Select(o => o.Id).Contains(t.Id)), "Tenants 5; Orders 5"),
        ["some of each group"] = (c => c.Tenants.Where(t => t.Id == 5).Select(t => t.Orders.OrderBy(o => o.Total).Take(2).ToList()), "Tenants 5; Orders 5"),
        ["first of each group"] = (c => c.Orders.Where(o => o.TenantId == 5).GroupBy(o => o.Total).Select(g => g.OrderBy(o => o.Id).First().Id), "Orders 5; Orders 5"),
        ["group"] = (c => c.Orders.Where(o => o.TenantId == 5).GroupBy(o => o.Total).Select(g => new { g.Key, Count = g.Count() }), "Orders 5"),
        ["group by the key, filtered behind"] = (c => c.Orders.GroupBy(o => o.TenantId).Select(g => new { g.Key, Count = g.Count() }).Where(g => g.Key == 5), "Orders ?"),
        ["distinct, filtered behind"] = (c => c.Orders.Select(o => new { o.TenantId, o.Total }).Distinct().Where(o => o.TenantId == 5), "Orders 5"),
        ["concat"] = (c => c.Orders.Where(o => o.TenantId == 5).Select(o => o.Id).Concat(c.Lines.Where(l => l.TenantId == 6).Select(l => l.OrderId)), "Orders 5; Lines 6"),
        ["concat, one arm without"] = (c => c.Orders.Where(o => o.TenantId == 5).Select(o => o.Id).Concat(c.Lines.Select(l => l.OrderId)), "Orders 5; Lines ?"),
        ["concat, filtered behind"] = (c => c.Orders.Select(o => new { o.TenantId, o.Id }).Concat(c.Lines.Select(l => new { l.TenantId, Id = l.OrderId })).Where(x => x.TenantId == 5), "Orders 5; Lines 5"),
        ["aggregate of a page"] = (c => c.Orders.Where(o => o.TenantId == 5).OrderBy(o => o.Id).Take(3).GroupBy(o => o.Total).Select(g => g.Count()), "Orders 5"),
        ["composite"] = (c => c.Readings.Where(r => r.Region == "eu" && r.Device == Device), "Readings eu,@"),
        ["composite, half of it"] = (c => c.Readings.Where(r => r.Region == "eu"), "Readings ?"),
        ["compared in any case"] = (c => c.Readings.Where(r => r.Region == r.Nickname && r.Nickname == "eu" && r.Device == Device), "Readings ?"),
        ["composite of lists"] = (c => c.Readings.Where(r => (r.Region == "eu" || r.Region == "us") && r.Device == Device), "Readings eu|us,@"),
        ["owned in a table of its own"] = (c => c.Reports.Where(r => r.TenantId == 5), "Reports 5; ReportNote 5"),
        ["typed id with a filter"] = (c => c.Tickets.Where(t => t.Key == new TicketKey(Guid.Empty)), "Tickets 00000000-0000-0000-0000-000000000000"),
        ["texts by an exact collation"] = (c => c.Pages.Where(p => p.Site == "a").Join(c.Edits, p => p.Site, e => e.Site, (p, e) => new { p.Title, e.Number }), "Pages a; Edits a"),
        ["texts by an exact collation, in a derived table"] = (c => c.Pages.Where(p => p.Site == "a").OrderBy(p => p.Number).Take(2).Join(c.Edits, p => p.Site, e => e.Site, (p, e) => new { p.Title, e.Number }), "Pages a; Edits a"),
        ["texts by a loose collation"] = (c => c.Pages.Where(p => p.Title == p.Site && p.Title == "a"), "Pages ?"),
        ["texts by a loose collation, in a derived table"] = (c => c.Edits.Join(c.Pages.Where(p => p.Title == "a").Select(p => p.Title).Distinct(), e => e.Site, t => t, (e, t) => e.Number), "Edits ?; Pages ?"),
        ["texts by a collation that nobody knows"] = (c => c.Pages.Where(p => p.Author == p.Site && p.Author == "a"), "Pages ?"),
        ["texts by a loose collation beside the key"] = (c => c.Pages.Where(p => p.Site == "a" && p.Title == "b"), "Pages a"),
        ["texts by a collation of the query"] = (c => c.Pages.Where(p => EF.Functions.Collate(p.Site, "loose") == "a"), "Pages ?"),
        ["texts of several collations, put together"] = (c => c.Edits.Select(e => e.Site).Concat(c.Pages.Select(p => p.Title)).Where(t => t == "a"), "Edits ?; Pages ?"),
        ["id"] = (c => c.Posts.Where(p => p.Id == 5), "Posts #5"),
        ["id as a parameter"] = (c => c.Posts.Where(p => p.Id == AnId), "Posts #@"),
        ["ids"] = (c => c.Posts.Where(p => LongIds.Contains(p.Id)), "Posts #@*"),
        ["id of the principal"] = (c => c.Replies.Where(r => r.PostId == 5), "Replies #5"),
        ["id or another"] = (c => c.Posts.Where(p => p.Id == 5 || p.Id == 6), "Posts #5|6"),
        ["id or something else"] = (c => c.Posts.Where(p => p.Id == 5 || p.Title == "x"), "Posts ?"),
        ["another id"] = (c => c.Posts.Where(p => p.Id != 5), "Posts ?"),
        ["key beside an id"] = (c => c.Posts.Where(p => p.Id == 5 && p.TenantId == 6), "Posts 6"),
        ["include by id"] = (c => c.Posts.Include(p => p.Replies).Where(p => p.Id == 5), "Posts #5; Replies #5"),
        ["include by key of what refers by id"] = (c => c.Posts.Include(p => p.Replies).Where(p => p.TenantId == 5), "Posts 5; Replies ~5"),
        ["include by key of a page"] = (c => c.Posts.Include(p => p.Replies).Where(p => p.TenantId == 5).OrderBy(p => p.Title).Take(2), "Posts 5; Replies ~5"),
        ["include of what is not certain"] = (c => c.Posts.Include(p => p.Replies).Where(p => p.Title == "x"), "Posts ?; Replies ?"),
        ["navigation by id"] = (c => c.Replies.Where(r => r.Id == 5).Select(r => r.Post!.Title), "Replies #5; Posts ~#5"),
        ["join on ids, key of the other side"] = (c => c.Replies.Where(r => r.Post!.TenantId == 5), "Replies ~5; Posts 5"),
        ["join of an id with a number"] = (c => c.Posts.Join(c.Orders.Where(o => o.TenantId == 5), p => p.Id, o => (long)o.Id, (p, o) => p.Title), "Posts ?; Orders 5"),
        ["left join named alone on the inner side"] = (c => c.Posts.LeftJoin(c.Replies.Where(r => r.TenantId == 5), p => p.Id, r => r.PostId, (p, r) => new { p.Title, r!.Id }), "Posts ?; Replies 5"),
        ["exists by id"] = (c => c.Posts.Where(p => p.TenantId == 5 && p.Replies.Any()), "Posts 5; Replies ~5"),
        ["exists by id for the outside"] = (c => c.Posts.Where(p => p.Replies.Any(r => r.TenantId == 5)), "Posts ?; Replies 5"),
        ["function of the application"] = (c => c.Orders.Where(o => o.TenantId == 5 && TenantsContext.Weight(6) > 1), "Orders 5"),
        ["function of the application that is given a key"] = (c => c.Orders.Where(o => TenantsContext.Weight(5) > 1), "Orders ?"),
        ["function of the application with tables of every shard alone"] = (c => c.Products.Where(p => TenantsContext.Weight(5) > 1), ""),
        ["function of the application that returns rows"] = (c => c.OrdersOf(5).Where(o => o.TenantId == 5), "opaque"),
        ["SQL"] = (c => c.Orders.FromSql($"SELECT * FROM \"Orders\"").Where(o => o.TenantId == 5), "opaque"),
        ["sharded with the default shard"] = (c => c.Settings.Join(c.Orders.Where(o => o.TenantId == 5), s => s.TenantId, o => o.TenantId, (s, o) => o.Total), "Settings default; Orders 5"),
        ["without tables"] = (c => c.Orders.Where(o => false).Select(o => 1), "Orders ?"),
    };

    // Properties: EF writes what is in read-only fields into the SQL.
    private static int AnId => 5;

    private static int[] Ids => [1, 2];

    private static long[] LongIds => [1, 2];

    private static Guid Device => Guid.NewGuid();

    public static TheoryData<string> Queries => [.. _queries.Keys];

    [Theory]
    [MemberData(nameof(Queries))]
    public void Reads(string query)
    {
        var plans = PlansOf(c => Enumerate(_queries[query].Query(c)));
        Assert.Equal(_queries[query].Plan, Assert.Single(plans));
    }

    [Fact]
    public void Reads_writes() => Assert.Equal(
        ["Orders 5", "Orders ?", "Orders 5", "Orders ?", "Orders 5; Lines 5"],
        PlansOf(c =>
        {
            c.Orders.Where(o => o.TenantId == 5).ExecuteUpdate(s => s.SetProperty(o => o.Total, 1));
            c.Orders.Where(o => o.Total > 5).ExecuteUpdate(s => s.SetProperty(o => o.Total, 1));
            c.Orders.Where(o => o.TenantId == 5).ExecuteDelete();
            c.Orders.Where(o => o.Total > 5).ExecuteDelete();
            c.Orders.Where(o => o.TenantId == 5).ExecuteUpdate(s => s.SetProperty(o => o.Total, o => o.Lines.Sum(l => l.Price)));
        }));

    [Fact]
    public void Reads_writes_of_reference_tables() => Assert.Equal(
        ["copies of Products", "copies of Products", "opaque", "opaque", "opaque"],
        PlansOf(c =>
        {
            c.Products.Where(p => p.Id == AnId).ExecuteUpdate(s => s.SetProperty(p => p.Name, p => p.Name.Replace("a", "b") + "x"));
            c.Products.Where(p => p.Name.StartsWith("xy")).ExecuteDelete();
            c.Products.Where(p => p.Id == 5).ExecuteUpdate(s => s.SetProperty(p => p.Name, p => Guid.NewGuid().ToString()));
            c.Products.Where(p => c.Products.Any(o => o.Id > p.Id)).ExecuteDelete();
            c.Products.Where(p => c.Orders.Any(o => o.Id == p.Id)).ExecuteUpdate(s => s.SetProperty(p => p.Name, "x"));
        }));

    private static List<string> PlansOf(Action<TenantsContext> use)
    {
        var plans = new List<string>();
        CommandCapture.Of(
            o => new TenantsContext(o),
            use,
            tree =>
            {
                plans.Add(Text(ShardPlanReader.Read(tree)));
                return tree;
            });
        return plans;
    }

    private static void Enumerate(IQueryable query)
    {
        foreach (var _ in (IEnumerable)query)
        {
            // For the command alone.
        }
    }

    private static string Text(ShardPlan plan) => plan.Opaque is not null ? "opaque" : plan.CopiedTable is { } copied ? $"copies of {copied}" : string.Join("; ", plan.Tables.Select(Text));

    private static string Text(PlacedTable table) =>
        table.Name + " " + (table.Table.Placement == TablePlacement.DefaultShard ? "default"
            : !table.IsKnown ? "?"
            : table.Bucket is { } bucket ? (ReferenceEquals(bucket.Table, table.Table) ? "" : "~") + (bucket.Key.IsEmpty ? "#" + Text([bucket.Ids]) : Text(bucket.Key))
            : Text(table.Key));

    private static string Text(ImmutableArray<ImmutableArray<KeyTerm>> key) => string.Join(',', key.Select(terms => string.Join('|', terms.Select(t => t.Parameter is null ? t.Constant is IEnumerable many and not string ? string.Join('|', many.Cast<object>()) : Sent(t) : t.IsMany ? "@*" : "@"))));

    private static string Sent(KeyTerm term) => term.ValueIn(new Dictionary<string, object?>())!.ToString()!;
}
