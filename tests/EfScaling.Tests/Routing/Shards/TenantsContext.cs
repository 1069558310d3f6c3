using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Routing.Shards;

/// <summary>Tenants with their orders and lines, a catalogue on every shard, and settings on the default shard. Its server does not exist.</summary>
internal sealed class TenantsContext(DbContextOptions options) : DbContext(options)
{
    public int CurrentTenant { get; init; } = 7;

    public DbSet<Tenant> Tenants => Set<Tenant>();

    public DbSet<Order> Orders => Set<Order>();

    public DbSet<Line> Lines => Set<Line>();

    public DbSet<Product> Products => Set<Product>();

    public DbSet<Setting> Settings => Set<Setting>();

    public DbSet<Reading> Readings => Set<Reading>();

    public DbSet<Report> Reports => Set<Report>();

    public DbSet<Ticket> Tickets => Set<Ticket>();

    public DbSet<Page> Pages => Set<Page>();

    public DbSet<Edit> Edits => Set<Edit>();

    public DbSet<Post> Posts => Set<Post>();

    public DbSet<Reply> Replies => Set<Reply>();

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) => configurationBuilder.Conventions.Add(_ => new CollationConvention());

    /// <summary>A function of the application that reads tables.</summary>
    public static int Weight(int tenant) => throw new NotSupportedException();

    /// <summary>A function of the application that returns rows.</summary>
    public IQueryable<Order> OrdersOf(int tenant) => FromExpression(() => OrdersOf(tenant));

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDbFunction(() => Weight(0)).HasName("weight");
        modelBuilder.HasDbFunction(typeof(TenantsContext).GetMethod(nameof(OrdersOf))!).HasName("orders_of");
        modelBuilder.HasCollation("loose", locale: "en-u-ks-primary", provider: "icu", deterministic: false);
        modelBuilder.Entity<Page>(b =>
        {
            b.IsSharded(p => p.Site, map: "sites");
            b.HasKey(p => new { p.Site, p.Number });
            b.Property(p => p.Title).UseCollation("loose");
            b.Property(p => p.Author).UseCollation("of_the_server");
        });
        modelBuilder.Entity<Post>(b =>
        {
            b.IsSharded(p => p.TenantId);
            b.Property(p => p.Id).HasShardedId();
        });
        modelBuilder.Entity<Reply>(b =>
        {
            b.IsSharded(r => r.TenantId);
            b.Property(r => r.Id).HasShardedId();
            b.HasOne(r => r.Post).WithMany(p => p.Replies).HasForeignKey(r => r.PostId);
        });
        modelBuilder.Entity<Edit>(b =>
        {
            b.IsSharded(e => e.Site, map: "sites");
            b.HasKey(e => new { e.Site, e.Number });
        });
        modelBuilder.Entity<Tenant>(b =>
        {
            b.IsSharded(t => t.Id);
            b.Property(t => t.Id).ValueGeneratedNever();
        });
        modelBuilder.Entity<Order>(b =>
        {
            b.IsSharded(o => o.TenantId);
            b.HasKey(o => new { o.TenantId, o.Id });
            b.HasOne(o => o.Tenant).WithMany(t => t.Orders).HasForeignKey(o => o.TenantId);
        });
        modelBuilder.Entity<Line>(b =>
        {
            b.IsSharded(l => l.TenantId);
            b.HasKey(l => new { l.TenantId, l.OrderId, l.Number });
            b.HasOne(l => l.Order).WithMany(o => o.Lines).HasForeignKey(l => new { l.TenantId, l.OrderId });
            b.HasOne(l => l.Product).WithMany().HasForeignKey(l => l.ProductId);
        });
        modelBuilder.Entity<Report>(b =>
        {
            b.IsSharded(r => r.TenantId);
            b.HasKey(r => new { r.TenantId, r.Id });
            b.OwnsMany(r => r.Notes);
        });
        modelBuilder.Entity<Product>().IsReferenceTable();
        modelBuilder.Entity<Reading>(b =>
        {
            b.IsSharded(r => new { r.Region, r.Device }, map: "devices");
            b.HasKey(r => new { r.Region, r.Device, r.At });
            b.Property(r => r.Nickname).HasColumnType("citext");
        });
        modelBuilder.Entity<Ticket>(b =>
        {
            b.IsSharded(t => t.Key, map: "tickets");
            b.HasKey(t => t.Key);
            b.Property(t => t.Key).HasConversion(k => k.Value, v => new TicketKey(v)).ValueGeneratedNever();
            b.HasQueryFilter(t => t.TenantId == CurrentTenant);
        });
    }
}

internal sealed class Tenant
{
    public int Id { get; set; }

    public string Name { get; set; } = "";

    public List<Order> Orders { get; } = [];
}

internal sealed class Order
{
    public int TenantId { get; set; }

    public int Id { get; set; }

    public decimal Total { get; set; }

    public int? ParentTenant { get; set; }

    public Tenant? Tenant { get; set; }

    public List<Line> Lines { get; } = [];
}

internal sealed class Report
{
    public int TenantId { get; set; }

    public int Id { get; set; }

    public List<ReportNote> Notes { get; } = [];
}

internal sealed class ReportNote
{
    public string Text { get; set; } = "";
}

internal sealed class Line
{
    public int TenantId { get; set; }

    public int OrderId { get; set; }

    public int Number { get; set; }

    public int ProductId { get; set; }

    public decimal Price { get; set; }

    public Order? Order { get; set; }

    public Product? Product { get; set; }
}

internal sealed class Product
{
    public int Id { get; set; }

    public string Name { get; set; } = "";
}

internal sealed class Setting
{
    public int Id { get; set; }

    public int TenantId { get; set; }
}

internal sealed class Reading
{
    public string Region { get; set; } = "";

    public Guid Device { get; set; }

    public long At { get; set; }

    public string Nickname { get; set; } = "";
}

internal sealed class Page
{
    public string Site { get; set; } = "";

    public int Number { get; set; }

    public string Title { get; set; } = "";

    public string Author { get; set; } = "";
}

internal sealed class Edit
{
    public string Site { get; set; } = "";

    public int Number { get; set; }
}

internal sealed class Post
{
    public long Id { get; set; }

    public int TenantId { get; set; }

    public string Title { get; set; } = "";

    public List<Reply> Replies { get; } = [];
}

internal sealed class Reply
{
    public long Id { get; set; }

    public int TenantId { get; set; }

    public long PostId { get; set; }

    public Post? Post { get; set; }
}

internal readonly record struct TicketKey(Guid Value);

internal sealed class Ticket
{
    public TicketKey Key { get; set; }

    public int TenantId { get; set; }
}
