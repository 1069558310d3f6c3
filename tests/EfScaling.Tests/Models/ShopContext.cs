using EfScaling.Replication;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Models;

/// <summary>A model with one entity type for each way in which EF maps them. Its servers do not exist.</summary>
internal sealed class ShopContext(DbContextOptions options) : DbContext(options)
{
    public const string Primary = "Host=primary.invalid;Username=app;Password=primary-secret";
    public const string Replica = "Host=replica.invalid;Username=app;Password=replica-secret";

    public DbSet<Customer> Customers => Set<Customer>();

    public DbSet<Order> Orders => Set<Order>();

    public DbSet<Product> Products => Set<Product>();

    public DbSet<Payment> Payments => Set<Payment>();

    public static ShopContext Create(Action<ReplicaOptionsBuilder>? configure = null) =>
        new(new DbContextOptionsBuilder().UseNpgsql(Primary).UseReadReplicas(r =>
        {
            r.AddReplica(Replica);
            configure?.Invoke(r);
        }).Options);

    public static ShopContext CreateWithoutReplicas() => new(new DbContextOptionsBuilder().UseNpgsql(Primary).Options);

    /// <summary>A function of the database of which nobody knows what it does.</summary>
    public static int Score(int id) => throw new NotSupportedException();

    /// <summary>A function of the database that is marked as reading only.</summary>
    public static int Rank(int id) => throw new NotSupportedException();

    /// <summary>PostgreSQL's <c>nextval</c>, mapped as the built-in function it is.</summary>
    public static long NextValue(string sequence) => throw new NotSupportedException();

    /// <summary>PostgreSQL's <c>upper</c>, mapped as the built-in function it is.</summary>
    public static string Upper(string text) => throw new NotSupportedException();

    /// <summary>A function of the application that has the name of a built-in one.</summary>
    public static string Lower(string text) => throw new NotSupportedException();

    /// <summary>A function of a schema that is marked as reading only.</summary>
    public static int Distance(int id) => throw new NotSupportedException();

    /// <summary>A function that returns rows and of which nobody knows what it does.</summary>
    public IQueryable<OrderTotal> TotalsOf(int customerId) => FromExpression(() => TotalsOf(customerId));

    /// <summary>A function that returns rows and is marked as reading only.</summary>
    public IQueryable<OrderTotal> StableTotalsOf(int customerId) => FromExpression(() => StableTotalsOf(customerId));

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Customer>().OwnsOne(c => c.Address);
        modelBuilder.Entity<Customer>().OwnsOne(c => c.Preferences, p => p.ToJson());
        modelBuilder.Entity<Product>().HasQueryFilter(p => !p.IsWithdrawn);
        modelBuilder.Entity<Payment>().UseTptMappingStrategy();
        modelBuilder.Entity<CardPayment>();
        modelBuilder.Entity<OrderTotal>().HasNoKey().ToView("order_totals");
        modelBuilder.Entity<Session>().IsUnlogged();
        modelBuilder.Entity<Audit>().IsPrimaryOnly();
        modelBuilder.Entity<CatalogTable>().HasNoKey().ToTable("pg_class", "pg_catalog", t => t.ExcludeFromMigrations());
        modelBuilder.HasDbFunction(() => Score(default));
        modelBuilder.HasDbFunction(() => Rank(default)).IsStable();
        modelBuilder.HasDbFunction(() => NextValue(string.Empty)).HasName("nextval").IsBuiltIn();
        modelBuilder.HasDbFunction(() => Upper(string.Empty)).HasName("upper").IsBuiltIn();
        modelBuilder.HasDbFunction(() => Lower(string.Empty)).HasName("lower");
        modelBuilder.HasDbFunction(() => Distance(default)).HasSchema("geo").IsStable();
        modelBuilder.HasDbFunction(() => TotalsOf(default));
        modelBuilder.HasDbFunction(() => StableTotalsOf(default)).IsStable();
    }
}

internal sealed class Customer
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public DateTime JoinedAt { get; set; }

    public required Address Address { get; set; }

    public required Preferences Preferences { get; set; }

    public List<Order> Orders { get; set; } = [];
}

internal sealed class Address
{
    public required string City { get; set; }
}

internal sealed class Preferences
{
    public required string Theme { get; set; }
}

internal sealed class Order
{
    public int Id { get; set; }

    public int CustomerId { get; set; }

    public Customer? Customer { get; set; }

    public decimal Total { get; set; }

    public List<Product> Products { get; set; } = [];
}

internal sealed class Product
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public bool IsWithdrawn { get; set; }

    public List<string> Labels { get; set; } = [];

    public List<Order> Orders { get; set; } = [];
}

internal class Payment
{
    public int Id { get; set; }

    public decimal Amount { get; set; }
}

internal sealed class CardPayment : Payment
{
    public required string Card { get; set; }
}

internal sealed class OrderTotal
{
    public int OrderId { get; set; }

    public decimal Total { get; set; }
}

internal sealed class Session
{
    public int Id { get; set; }
}

internal sealed class Audit
{
    public int Id { get; set; }
}

internal sealed class CatalogTable
{
    public required string Relname { get; set; }
}
