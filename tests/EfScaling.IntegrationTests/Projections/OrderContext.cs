using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Projections;

/// <summary>Orders with lines and customers, and the view of each order.</summary>
public sealed class OrderContext(DbContextOptions<OrderContext> options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();

    public DbSet<OrderLine> Lines => Set<OrderLine>();

    public DbSet<Customer> Customers => Set<Customer>();

    public DbSet<Parcel> Parcels => Set<Parcel>();

    public DbSet<OrderView> Views => Set<OrderView>();

    public static async Task<OrderView?> BuildAsync(OrderContext db, int id, CancellationToken cancellationToken)
    {
        var order = await db.Orders.Include(o => o.Lines).Include(o => o.Customer).SingleOrDefaultAsync(o => o.Id == id, cancellationToken);
        return order is null
            ? null
            : new OrderView
            {
                OrderId = id,
                Customer = order.Customer?.Name,
                City = order.Address?.City,
                Total = order.Lines.Sum(l => l.Price),
                Lines = [.. order.Lines.OrderBy(l => l.Id).Select(l => new LineView { Product = l.Product, Price = l.Price })],
            };
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.AddOutbox();
        modelBuilder.Entity<Order>().OwnsOne(o => o.Address);
        modelBuilder.Entity<OrderView>(v =>
        {
            v.HasKey(x => x.OrderId);
            v.Property(x => x.OrderId).ValueGeneratedNever();
            v.OwnsMany(x => x.Lines, l => l.ToJson());
        });
    }
}

public sealed class Order
{
    public int Id { get; set; }

    public int? CustomerId { get; set; }

    public Customer? Customer { get; set; }

    public OrderAddress? Address { get; set; }

    public string? Note { get; set; }

    public List<OrderLine> Lines { get; set; } = [];
}

public sealed class OrderAddress
{
    public required string City { get; set; }
}

public sealed class OrderLine
{
    public int Id { get; set; }

    public int OrderId { get; set; }

    public required string Product { get; set; }

    public decimal Price { get; set; }
}

public sealed class Customer
{
    public int Id { get; set; }

    public required string Name { get; set; }
}

public sealed class OrderView
{
    public int OrderId { get; set; }

    public string? Customer { get; set; }

    public string? City { get; set; }

    public decimal Total { get; set; }

    public List<LineView> Lines { get; set; } = [];

    public override string ToString() => $"{OrderId}: {Customer}, {City}, {Total:0.00}, {string.Join(' ', Lines.Select(l => $"{l.Product}={l.Price:0.00}"))}";
}

public sealed class LineView
{
    public required string Product { get; set; }

    public decimal Price { get; set; }
}

public sealed class Parcel
{
    public Guid Id { get; set; }

    public required string Code { get; set; }
}

/// <summary>Is kept nowhere; names the key of parcels.</summary>
public sealed class ParcelView
{
    public Guid Id { get; set; }
}

/// <summary>Is kept nowhere; names the key of codes.</summary>
public sealed class CodeView
{
    public required string Code { get; set; }
}
