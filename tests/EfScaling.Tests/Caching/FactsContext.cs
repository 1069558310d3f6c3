using Microsoft.EntityFrameworkCore;
using NpgsqlTypes;

namespace EfScaling.Tests.Caching;

/// <summary>A model with each way in which EF maps entities to tables. Its server does not exist.</summary>
internal sealed class FactsContext(DbContextOptions options) : DbContext(options)
{
    public DbSet<Author> Authors => Set<Author>();

    public DbSet<Book> Books => Set<Book>();

    /// <summary>A function of the database of which nobody knows what it does.</summary>
    public static int Score(int id) => throw new NotSupportedException();

    /// <summary>PostgreSQL's <c>nextval</c>, mapped as the built-in function it is.</summary>
    public static long NextValue(string sequence) => throw new NotSupportedException();

    /// <summary>PostgreSQL's <c>upper</c>, mapped as the built-in function it is.</summary>
    public static string Upper(string text) => throw new NotSupportedException();

    /// <summary>PostgreSQL's <c>current_setting</c>, mapped as the built-in function it is.</summary>
    public static string Setting(string name) => throw new NotSupportedException();

    /// <summary>PostgreSQL's <c>pg_sleep</c>, of which the library knows nothing.</summary>
    public static string Sleep(double seconds) => throw new NotSupportedException();

    /// <summary>A function of the application that has the name of a built-in one.</summary>
    public static string Lower(string text) => throw new NotSupportedException();

    /// <summary>A function that returns rows.</summary>
    public IQueryable<Book> BooksOf(int author) => FromExpression(() => BooksOf(author));

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema("shop");
        modelBuilder.Entity<Author>(a =>
        {
            a.OwnsOne(x => x.Home);
            a.OwnsOne(x => x.Style, s => s.ToJson());
            a.OwnsMany(x => x.Prizes, p => p.ToJson());
            a.OwnsMany(x => x.Pens, p => p.ToTable("pens", "tools"));
            a.ComplexProperty(x => x.Birth);
        });
        modelBuilder.Entity<Book>().ToTable("books", "store");
        modelBuilder.Entity<Book>().HasMany(b => b.Tags).WithMany(t => t.Books);
        modelBuilder.Entity<Book>().HasQueryFilter(b => !b.IsHidden);
        modelBuilder.Entity<Plant>().UseTphMappingStrategy().ToTable("plants");
        modelBuilder.Entity<Tree>();
        modelBuilder.Entity<Payment>().UseTptMappingStrategy();
        modelBuilder.Entity<Card>();
        modelBuilder.Entity<Shape>().UseTpcMappingStrategy();
        modelBuilder.Entity<Circle>();
        modelBuilder.Entity<Square>();
        modelBuilder.Entity<Total>().HasNoKey().ToView("totals", "reports");
        modelBuilder.Entity<Recent>().HasNoKey().ToSqlQuery("SELECT 1 AS \"Id\"");
        modelBuilder.Entity<SystemTable>().HasNoKey().ToTable("pg_class", "pg_catalog", t => t.ExcludeFromMigrations());
        modelBuilder.Entity<Main>().ToTable("split");
        modelBuilder.Entity<Main>().SplitToTable("split_rest", t => t.Property(m => m.Rest));
        modelBuilder.Entity<Moving>().HasNoKey().ToTable("moving").Property(m => m.Place).HasColumnName("ctid");
        modelBuilder.HasDbFunction(() => Score(default));
        modelBuilder.HasDbFunction(() => NextValue(string.Empty)).HasName("nextval").IsBuiltIn();
        modelBuilder.HasDbFunction(() => Upper(string.Empty)).HasName("upper").IsBuiltIn();
        modelBuilder.HasDbFunction(() => Setting(string.Empty)).HasName("current_setting").IsBuiltIn();
        modelBuilder.HasDbFunction(() => Sleep(default)).HasName("pg_sleep").IsBuiltIn();
        modelBuilder.HasDbFunction(() => Lower(string.Empty)).HasName("lower");
        modelBuilder.HasDbFunction(() => BooksOf(default));
    }
}

internal sealed class Author
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public DateTime JoinedAt { get; set; }

    public DateOnly? DiedOn { get; set; }

    public Guid Code { get; set; }

    public Rank Rank { get; set; }

    public Place? Home { get; set; }

    public required Style Style { get; set; }

    public required Birth Birth { get; set; }

    public List<Prize> Prizes { get; set; } = [];

    public List<Pen> Pens { get; set; } = [];

    public List<Book> Books { get; set; } = [];
}

internal enum Rank
{
    Novice,
    Master,
}

internal sealed class Place
{
    public string? City { get; set; }
}

internal sealed class Style
{
    public string? Genre { get; set; }
}

internal sealed class Birth
{
    public int Year { get; set; }
}

internal sealed class Prize
{
    public string? Name { get; set; }

    public int Year { get; set; }
}

internal sealed class Pen
{
    public int Id { get; set; }

    public string? Ink { get; set; }
}

internal sealed class Book
{
    public int Id { get; set; }

    public int? AuthorId { get; set; }

    public Author? Author { get; set; }

    public required string Title { get; set; }

    public decimal Price { get; set; }

    public bool IsHidden { get; set; }

    public List<string> Words { get; set; } = [];

    public NpgsqlTsVector? Index { get; set; }

    public List<Tag> Tags { get; set; } = [];
}

internal sealed class Tag
{
    public int Id { get; set; }

    public List<Book> Books { get; set; } = [];
}

internal class Plant
{
    public int Id { get; set; }
}

internal sealed class Tree : Plant
{
    public int Height { get; set; }
}

internal class Payment
{
    public int Id { get; set; }

    public decimal Amount { get; set; }
}

internal sealed class Card : Payment
{
    public string? Number { get; set; }
}

internal abstract class Shape
{
    public int Id { get; set; }
}

internal sealed class Circle : Shape
{
    public double Radius { get; set; }
}

internal sealed class Square : Shape
{
    public double Side { get; set; }
}

internal sealed class Total
{
    public int Id { get; set; }

    public decimal Sum { get; set; }
}

internal sealed class Recent
{
    public int Id { get; set; }
}

internal sealed class SystemTable
{
    public required string Relname { get; set; }
}

internal sealed class Main
{
    public int Id { get; set; }

    public string? First { get; set; }

    public string? Rest { get; set; }
}

internal sealed class Moving
{
    public int Place { get; set; }
}
