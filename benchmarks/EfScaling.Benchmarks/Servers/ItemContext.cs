using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Servers;

/// <summary>The model of every benchmark, with and without replicas.</summary>
public class ItemContext : DbContext
{
    /// <summary>Rows of the table.</summary>
    public const int Count = 10_000;

    public ItemContext()
    {
    }

    public ItemContext(DbContextOptions options)
        : base(options)
    {
    }

    public DbSet<Item> Items => Set<Item>();

    public DbSet<Beat> Beats => Set<Beat>();

    /// <summary>Takes a fixed time on the server and returns its argument.</summary>
    public static int Work(int id) => throw new NotSupportedException("The function exists on the server only.");

    protected override void OnModelCreating(ModelBuilder modelBuilder) =>
        modelBuilder.HasDbFunction(() => Work(default)).HasName("work").IsStable();
}
