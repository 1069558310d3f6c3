using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Benchmarks.Servers;

/// <summary>A model of several entity types of the same shape, each with a table of its own.</summary>
public sealed class TallyContext(DbContextOptions<TallyContext> options) : DbContext(options)
{
    /// <summary>Names of the entity types and tables.</summary>
    public static IReadOnlyList<string> Types { get; } = ["Tally1", "Tally2", "Tally3", "Tally4", "Tally5"];

    /// <summary>Creates the tables, each with the given number of rows.</summary>
    public async Task CreateAsync(int rows)
    {
        await this.GetService<IRelationalDatabaseCreator>().CreateTablesAsync();
        foreach (var type in Types)
        {
            Set<Tally>(type).AddRange(Enumerable.Range(1, rows).Select(id => new Tally { Id = id }));
        }

        await SaveChangesAsync();
    }

    /// <summary>Loads the rows with an id, one of each type.</summary>
    public async Task LoadAsync(int id)
    {
        foreach (var type in Types)
        {
            await Set<Tally>(type).Where(t => t.Id == id).LoadAsync();
        }
    }

    /// <summary>Changes every loaded row.</summary>
    public void Change()
    {
        foreach (var entry in ChangeTracker.Entries<Tally>())
        {
            entry.Entity.Number++;
        }
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        foreach (var type in Types)
        {
            modelBuilder.SharedTypeEntity<Tally>(type, e =>
            {
                e.ToTable(type);
                e.Property(t => t.Id).ValueGeneratedNever();
            });
        }
    }
}
