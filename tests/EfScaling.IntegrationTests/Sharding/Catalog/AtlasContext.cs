using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>Events by ranges of their number, profiles on a ring and places by their region: three maps over the same shards.</summary>
public sealed class AtlasContext(DbContextOptions<AtlasContext> options) : DbContext(options)
{
    public const string Events = "events";
    public const string Profiles = "profiles";
    public const string Places = "places";

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Happening>(b =>
        {
            b.ToTable(Events);
            b.IsSharded(e => e.Id, map: Events);
            b.Property(e => e.Id).HasColumnName("id").ValueGeneratedNever();
            b.Property(e => e.Count).HasColumnName("count").IsConcurrencyToken();
        });
        modelBuilder.Entity<Profile>(b =>
        {
            b.ToTable(Profiles);
            b.IsSharded(p => p.Id, map: Profiles);
            b.Property(p => p.Id).HasColumnName("id").ValueGeneratedNever();
            b.Property(p => p.Count).HasColumnName("count").IsConcurrencyToken();
        });
        modelBuilder.Entity<Place>(b =>
        {
            b.ToTable(Places);
            b.IsSharded(p => p.Id, map: Places);
            b.Property(p => p.Id).HasColumnName("id").HasMaxLength(20);
            b.Property(p => p.Count).HasColumnName("count").IsConcurrencyToken();
        });
    }
}

/// <summary>Counts what was done to a row.</summary>
public interface ICounted
{
    int Count { get; set; }
}

public sealed class Happening : ICounted
{
    public long Id { get; set; }

    public int Count { get; set; }
}

public sealed class Profile : ICounted
{
    public Guid Id { get; set; }

    public int Count { get; set; }
}

public sealed class Place : ICounted
{
    public required string Id { get; set; }

    public int Count { get; set; }
}
