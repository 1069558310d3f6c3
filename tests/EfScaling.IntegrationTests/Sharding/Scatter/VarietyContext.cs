using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Tables of every placement, with columns of every type, inheritance of both kinds, owned types and JSON.</summary>
public sealed class VarietyContext(DbContextOptions<VarietyContext> options) : DbContext(options)
{
    public DbSet<Owner> Owners => Set<Owner>();

    public DbSet<Item> Items => Set<Item>();

    public DbSet<Part> Parts => Set<Part>();

    public DbSet<Animal> Animals => Set<Animal>();

    public DbSet<Paper> Papers => Set<Paper>();

    public DbSet<Colour> Colours => Set<Colour>();

    public DbSet<Setting> Settings => Set<Setting>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        Values<Owner>(modelBuilder, o =>
        {
            o.IsSharded(x => x.Id);
            o.Property(x => x.Id).ValueGeneratedNever();
            o.HasOne(x => x.Colour).WithMany().HasForeignKey(x => x.ColourId);
            o.OwnsOne(x => x.Address);
            o.OwnsOne(x => x.Profile, p =>
            {
                p.ToJson();
                p.OwnsMany(x => x.Tags);
            });
        });
        Values<Item>(modelBuilder, i =>
        {
            i.IsSharded(x => x.OwnerId);
            i.HasKey(x => new { x.OwnerId, x.Id });
            i.Property(x => x.Id).ValueGeneratedNever();
            i.HasOne(x => x.Owner).WithMany(x => x.Items).HasForeignKey(x => x.OwnerId);
            i.HasOne(x => x.Colour).WithMany().HasForeignKey(x => x.ColourId);
        });
        Values<Part>(modelBuilder, p =>
        {
            p.IsSharded(x => x.OwnerId);
            p.HasKey(x => new { x.OwnerId, x.ItemId, x.Number });
            p.HasOne(x => x.Item).WithMany(x => x.Parts).HasForeignKey(x => new { x.OwnerId, x.ItemId });
        });
        Values<Animal>(modelBuilder, a =>
        {
            a.IsSharded(x => x.OwnerId);
            a.HasKey(x => new { x.OwnerId, x.Id });
            a.Property(x => x.Id).ValueGeneratedNever();
            a.HasOne(x => x.Owner).WithMany(x => x.Animals).HasForeignKey(x => x.OwnerId);
        });
        modelBuilder.Entity<Cat>();
        modelBuilder.Entity<Dog>();
        Values<Paper>(modelBuilder, p =>
        {
            p.UseTptMappingStrategy();
            p.IsSharded(x => x.OwnerId);
            p.HasKey(x => new { x.OwnerId, x.Id });
            p.Property(x => x.Id).ValueGeneratedNever();
            p.HasOne(x => x.Owner).WithMany(x => x.Papers).HasForeignKey(x => x.OwnerId);
        });
        modelBuilder.Entity<Letter>().ToTable("Letters");
        modelBuilder.Entity<Memo>().ToTable("Memos");
        Values<Colour>(modelBuilder, c =>
        {
            c.IsReferenceTable();
            c.Property(x => x.Id).ValueGeneratedNever();
        });
        Values<Setting>(modelBuilder, s =>
        {
            s.OnDefaultShard();
            s.Property(x => x.Id).ValueGeneratedNever();
        });
    }

    private static void Values<T>(ModelBuilder modelBuilder, Action<EntityTypeBuilder<T>> configure)
        where T : Various
    {
        var entity = modelBuilder.Entity<T>();
        configure(entity);
        entity.Property(x => x.Money).HasPrecision(18, 4);
        entity.Property(x => x.Plain).HasColumnType("numeric");
        entity.Property(x => x.Local).HasColumnType("timestamp without time zone");
        entity.Property(x => x.Plainest).UseCollation("C");
        entity.Property(x => x.Code).HasMaxLength(8);
        entity.Property(x => x.Fixed).HasColumnType("character(4)");
    }
}
