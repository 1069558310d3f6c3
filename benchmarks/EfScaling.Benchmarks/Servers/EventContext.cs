using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Servers;

/// <summary>Events of owners, in one database.</summary>
public class EventContext(DbContextOptions options) : DbContext(options)
{
    /// <summary>How many rows each database has.</summary>
    public const int Count = 200_000;

    public DbSet<Occurrence> Events => Set<Occurrence>();

    /// <summary>Takes time on the server, but not its processor.</summary>
    public static string? Sleep(double seconds) => throw new NotSupportedException($"{seconds} s can only pass in a query.");

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDbFunction(() => Sleep(0)).HasName("pg_sleep").IsBuiltIn();
        modelBuilder.Entity<Occurrence>(e =>
        {
            e.ToTable("events");
            e.HasKey(x => new { x.Owner, x.Id });
            e.HasIndex(x => x.At);
        });
    }
}
