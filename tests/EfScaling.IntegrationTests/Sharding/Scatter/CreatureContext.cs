using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Creatures with what a database must have for them: a schema, an enum, an extension, collations, generated columns; and a view of them.</summary>
public sealed class CreatureContext(DbContextOptions<CreatureContext> options) : DbContext(options)
{
    public DbSet<Creature> Creatures => Set<Creature>();

    public DbSet<CreatureName> Names => Set<CreatureName>();

    public DbSet<Habitat> Habitats => Set<Habitat>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasPostgresExtension("citext");
        modelBuilder.Entity<Creature>(b =>
        {
            b.ToTable("creatures of all kinds, whatever they are", "zoo \"of\" all");
            b.IsSharded(c => c.Id);
            b.Property(c => c.Id).ValueGeneratedNever();
            b.Property(c => c.Name).UseCollation("C");
            b.Property(c => c.Nick).UseCollation("POSIX");
            b.Property(c => c.Loose).HasColumnType("citext");
            b.Property(c => c.Length).HasComputedColumnSql("length(\"Name\")", stored: true);
        });
        modelBuilder.Entity<CreatureName>(b =>
        {
            b.ToView("creature names", "zoo \"of\" all");
            b.IsSharded(c => c.Id);
            b.HasKey(c => c.Id);
        });
        modelBuilder.Entity<Habitat>(b =>
        {
            b.ToTable("creatures of all kinds, whatever they are");
            b.IsReferenceTable();
            b.Property(h => h.Id).ValueGeneratedNever();
        });
    }
}

public sealed class Creature
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public required string Nick { get; set; }

    public required string Loose { get; set; }

    public Temper Temper { get; set; }

    public int HabitatId { get; set; }

    public int Length { get; set; }
}

public sealed class CreatureName
{
    public int Id { get; set; }

    public required string Name { get; set; }
}

public sealed class Habitat
{
    public int Id { get; set; }

    public required string Name { get; set; }
}

public enum Temper
{
    Calm,
    Wild,
}
