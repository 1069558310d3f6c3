using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Entities that lie in the database in other shapes than in the program.</summary>
public sealed class ShapesContext(DbContextOptions<ShapesContext> options) : DbContext(options)
{
    /// <summary>Returns options to which a test adds its own.</summary>
    public static DbContextOptionsBuilder<ShapesContext> Options(string connectionString) => new DbContextOptionsBuilder<ShapesContext>()
        .UseNpgsql(connectionString)
        .ConfigureWarnings(w => w.Ignore(RelationalEventId.PendingModelChangesWarning));

    /// <summary>Creates the database of the connection string with a few rows, unless it is there.</summary>
    public static async Task CreateAsync(string connectionString)
    {
        await using var context = new ShapesContext(Options(connectionString).Options);
        if (!await context.Database.EnsureCreatedAsync())
        {
            return;
        }

        context.AddRange(new Cat { Name = "Tom" }, new Dog { Name = "Rex" }, new Car { Name = "car", Doors = 2 }, new CardPayment { Amount = 1, Card = "c" });
        context.Add(new Order { Name = "order", Address = new Address { City = "Bonn" }, Lines = [new Line { Text = "line" }], Details = new OrderDetails { Remark = "none" } });
        context.AddRange(new Student { Name = "s", Courses = [new Course { Title = "one" }] }, new Course { Title = "two" });
        await context.SaveChangesAsync();
        await context.Database.ExecuteSqlRawAsync(
            """
            CREATE VIEW order_view AS SELECT "Id", "Name" FROM "Orders";
            CREATE MATERIALIZED VIEW kept_orders AS SELECT "Id", "Name" FROM "Orders";
            CREATE TABLE measures ("Id" int, "Value" int) PARTITION BY LIST ("Id");
            CREATE TABLE measures_1 PARTITION OF measures FOR VALUES IN (1);
            INSERT INTO measures VALUES (1, 0);
            CREATE TABLE parents ("Id" int PRIMARY KEY);
            CREATE TABLE children ("Id" int PRIMARY KEY, "ParentId" int REFERENCES parents ON DELETE CASCADE);
            CREATE TABLE orphans ("Id" int PRIMARY KEY, "ParentId" int REFERENCES parents ON DELETE SET NULL);
            CREATE TABLE late_children ("Id" int PRIMARY KEY, "ParentId" int);
            """);
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Animal>().HasDiscriminator<string>("Kind").HasValue<Cat>("cat").HasValue<Dog>("dog");
        modelBuilder.Entity<Vehicle>().UseTptMappingStrategy();
        modelBuilder.Entity<Car>().ToTable("Cars");
        modelBuilder.Entity<Payment>().UseTpcMappingStrategy();
        modelBuilder.Entity<CardPayment>();
        modelBuilder.Entity<Order>(order =>
        {
            order.ToTable("Orders");
            order.OwnsOne(o => o.Address, a => a.ToTable("Addresses"));
            order.OwnsMany(o => o.Lines, l => l.ToTable("Lines"));
            order.HasOne(o => o.Details).WithOne().HasForeignKey<OrderDetails>(d => d.Id);
            order.Navigation(o => o.Details).IsRequired();
        });
        modelBuilder.Entity<OrderDetails>().ToTable("Orders");
        modelBuilder.Entity<Student>().HasMany(s => s.Courses).WithMany(c => c.Students);
        modelBuilder.Entity<Blob>().ToTable("Blobs");
        modelBuilder.Entity<OrderName>().HasNoKey().ToView("order_view");
        modelBuilder.Entity<KeptOrder>().HasNoKey().ToView("kept_orders");
        modelBuilder.Entity<Measure>().ToTable("measures", t => t.ExcludeFromMigrations()).HasKey(m => m.Id);
        modelBuilder.Entity<FirstMeasure>().ToTable("measures_1", t => t.ExcludeFromMigrations()).HasKey(m => m.Id);
        modelBuilder.Entity<Parent>().ToTable("parents", t => t.ExcludeFromMigrations()).Property(p => p.Id).ValueGeneratedNever();
        modelBuilder.Entity<Child>().ToTable("children", t => t.ExcludeFromMigrations()).Property(p => p.Id).ValueGeneratedNever();
        modelBuilder.Entity<Orphan>().ToTable("orphans", t => t.ExcludeFromMigrations()).Property(p => p.Id).ValueGeneratedNever();
        modelBuilder.Entity<LateChild>().ToTable("late_children", t => t.ExcludeFromMigrations()).Property(p => p.Id).ValueGeneratedNever();
    }
}

public abstract class Animal
{
    public int Id { get; set; }

    public required string Name { get; set; }
}

public sealed class Cat : Animal;

public sealed class Dog : Animal;

public class Vehicle
{
    public int Id { get; set; }

    public required string Name { get; set; }
}

public sealed class Car : Vehicle
{
    public int Doors { get; set; }
}

public abstract class Payment
{
    public int Id { get; set; }

    public decimal Amount { get; set; }
}

public sealed class CardPayment : Payment
{
    public required string Card { get; set; }
}

public sealed class Order
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public required Address Address { get; set; }

    public List<Line> Lines { get; set; } = [];

    public required OrderDetails Details { get; set; }
}

public sealed class Address
{
    public required string City { get; set; }
}

public sealed class Line
{
    public required string Text { get; set; }
}

public sealed class OrderDetails
{
    public int Id { get; set; }

    public required string Remark { get; set; }
}

public sealed class Student
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public List<Course> Courses { get; set; } = [];
}

public sealed class Course
{
    public int Id { get; set; }

    public required string Title { get; set; }

    public List<Student> Students { get; set; } = [];
}

public sealed class Blob
{
    public int Id { get; set; }

    public required string Mark { get; set; }

    public byte[]? Bytes { get; set; }

    public int? Number { get; set; }

    public Guid? Unique { get; set; }

    public int[]? Numbers { get; set; }
}

public sealed class OrderName
{
    public int Id { get; set; }

    public required string Name { get; set; }
}

public sealed class KeptOrder
{
    public int Id { get; set; }

    public required string Name { get; set; }
}

public sealed class Measure
{
    public int Id { get; set; }

    public int Value { get; set; }
}

public sealed class FirstMeasure
{
    public int Id { get; set; }

    public int Value { get; set; }
}

public sealed class Parent
{
    public int Id { get; set; }
}

public sealed class Child
{
    public int Id { get; set; }

    public int? ParentId { get; set; }
}

public sealed class Orphan
{
    public int Id { get; set; }

    public int? ParentId { get; set; }
}

public sealed class LateChild
{
    public int Id { get; set; }

    public int? ParentId { get; set; }
}
