using EfScaling.Projections;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Tests.Docs;

/// <summary>The code that the README and docs/projections.md show, as it compiles. <see cref="ProjectionDocumentationTests"/> compares them.</summary>
internal static class ProjectionSnippets
{
    public static void Readme(IServiceCollection services)
    {
        services.AddProjection<ShopContext, OrderView>(p => p
            .Key(v => v.OrderId)
            .On<Order>(o => o.Id)
            .On<OrderLine>(l => l.OrderId)
            .Build((db, id, ct) => db.Orders.Where(o => o.Id == id)
                .Select(o => new OrderView { OrderId = o.Id, Customer = o.Customer.Name, Total = o.Lines.Sum(l => l.Price) })
                .SingleOrDefaultAsync(ct)));
    }

    public static void Register(IServiceCollection services, string connectionString)
    {
        services.AddPooledDbContextFactory<ShopContext>(o => o.UseNpgsql(connectionString));
        services.AddProjection<ShopContext, OrderView>(p => p
            .Key(v => v.OrderId)
            .On<Order>(o => o.Id)                        // a change of an order changes the view with its id,
            .On<OrderLine>(l => l.OrderId)               // a change of a line that of its order; if it moves, both
            .On<Customer, int>(c => c.Id, (db, id) => db.Orders.Where(o => o.CustomerId == id).Select(o => o.Id))
            .Build((db, id, ct) => db.Orders.Where(o => o.Id == id)
                .Select(o => new OrderView { OrderId = o.Id, Customer = o.Customer.Name, Total = o.Lines.Sum(l => l.Price) })
                .SingleOrDefaultAsync(ct)));             // null: there is no view (any more)
    }

    public static void Documents(IServiceCollection services)
    {
        services.AddProjection<ShopContext, OrderView>(p => p
            .Key(v => v.OrderId)
            .On<Order>(o => o.Id)
            .Build((db, id, ct) => db.Orders.Where(o => o.Id == id).Select(o => new OrderView { OrderId = o.Id }).SingleOrDefaultAsync(ct))
            .IntoRedis("documents.example:6379,password=…"));        // or IntoRedis(RedisOptions, JsonSerializerOptions?)
    }

    public static async Task<OrderView?> OwnWriteAsync(ShopContext db, Order order)
    {
        await db.SaveChangesAsync();
        await db.Database.WaitForProjectionAsync<OrderView>();       // Applied, Parked or TimedOut; 5 s unless told otherwise
        var view = await db.OrderViews.FindAsync(order.Id);
        return view;
    }

    public static async Task RebuildAsync(ShopContext db)
    {
        await db.Database.RebuildProjectionAsync<OrderView>();
    }

    public sealed class OrderPage(IProjectionStore<OrderView> orders)
    {
        public Task<OrderView?> ShowAsync(int id) => orders.FindAsync(ProjectionKey.Format(id));   // null: there is none
    }

    public sealed class ShopContext(DbContextOptions<ShopContext> options) : DbContext(options)
    {
        public DbSet<Order> Orders => Set<Order>();

        public DbSet<OrderView> OrderViews => Set<OrderView>();
    }

    public sealed class Order
    {
        public int Id { get; set; }

        public int CustomerId { get; set; }

        public Customer Customer { get; set; } = null!;

        public List<OrderLine> Lines { get; } = [];
    }

    public sealed class OrderLine
    {
        public int Id { get; set; }

        public int OrderId { get; set; }

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

        public decimal Total { get; set; }
    }
}
