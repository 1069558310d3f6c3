using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Words by number, and settings on the default shard.</summary>
public sealed class WordsContext(DbContextOptions<WordsContext> options) : DbContext(options)
{
    public DbSet<Word> Words => Set<Word>();

    public DbSet<Setting> Settings => Set<Setting>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Word>(w =>
        {
            w.IsSharded(x => x.Id);
            w.Property(x => x.Id).ValueGeneratedNever();
            w.Property(x => x.Padded).HasColumnType("char(4)");
            w.Property(x => x.Limited).HasColumnType("varchar(8)").UseCollation("en-US-x-icu");
            w.Property(x => x.AnyCase).HasColumnType("citext");
            w.ComplexProperty(x => x.Spelling, s => s.Property(x => x.Text).UseCollation("en-US-x-icu"));
        });
        modelBuilder.Entity<Setting>(s =>
        {
            s.OnDefaultShard();
            s.Property(x => x.Id).ValueGeneratedNever();
        });
    }
}
