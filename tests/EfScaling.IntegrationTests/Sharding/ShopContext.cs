using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>Customers with their orders and lines by customer, products on every shard, and notices on the default shard.</summary>
public sealed class ShopContext(DbContextOptions<ShopContext> options) : DbContext(options)
{
    public DbSet<Customer> Customers => Set<Customer>();

    public DbSet<Order> Orders => Set<Order>();

    public DbSet<OrderLine> Lines => Set<OrderLine>();

    public DbSet<Product> Products => Set<Product>();

    public DbSet<Notice> Notices => Set<Notice>();

    /// <summary>PostgreSQL's <c>pg_sleep</c>.</summary>
    public static string? Sleep(double seconds) => throw new NotSupportedException();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDbFunction(() => Sleep(0)).HasName("pg_sleep").IsBuiltIn();
        modelBuilder.Entity<Customer>(b =>
        {
            b.IsSharded(c => c.Id);
            b.Property(c => c.Id).ValueGeneratedNever();
        });
        modelBuilder.Entity<Order>(b =>
        {
            b.IsSharded(o => o.CustomerId);
            b.HasKey(o => new { o.CustomerId, o.Id });
            b.Property(o => o.Id).ValueGeneratedOnAdd();
            b.HasOne(o => o.Customer).WithMany(c => c.Orders).HasForeignKey(o => o.CustomerId);
        });
        modelBuilder.Entity<OrderLine>(b =>
        {
            b.IsSharded(l => l.CustomerId);
            b.HasKey(l => new { l.CustomerId, l.OrderId, l.Number });
            b.HasOne(l => l.Order).WithMany(o => o.Lines).HasForeignKey(l => new { l.CustomerId, l.OrderId });
            b.HasOne(l => l.Product).WithMany().HasForeignKey(l => l.ProductId);
        });
        modelBuilder.Entity<Product>(b =>
        {
            b.IsReferenceTable();
            b.Property(p => p.Id).ValueGeneratedNever();
            b.HasData(new Product { Id = 1, Name = "pen" }, new Product { Id = 2, Name = "ink" }, new Product { Id = 3, Name = "paper" });
        });
    }
}

public sealed class Customer
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public List<Order> Orders { get; } = [];
}

public sealed class Order
{
    public int CustomerId { get; set; }

    public long Id { get; set; }

    public decimal Total { get; set; }

    public Customer? Customer { get; set; }

    public List<OrderLine> Lines { get; } = [];
}

public sealed class OrderLine
{
    public int CustomerId { get; set; }

    public long OrderId { get; set; }

    public int Number { get; set; }

    public int ProductId { get; set; }

    public int Count { get; set; }

    public Order? Order { get; set; }

    public Product? Product { get; set; }
}

public sealed class Product
{
    public int Id { get; set; }

    public required string Name { get; set; }
}

public sealed class Notice
{
    public int Id { get; set; }

    public required string Text { get; set; }
}
