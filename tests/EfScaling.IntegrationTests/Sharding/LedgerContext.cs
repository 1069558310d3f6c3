using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>Accounts with their entries by account, currencies on every shard, and settings on the default shard; each with rows of the model.</summary>
public class LedgerContext : DbContext
{
    public LedgerContext(DbContextOptions options)
        : base(options)
    {
    }

    protected LedgerContext()
    {
    }

    public DbSet<Account> Accounts => Set<Account>();

    public DbSet<Entry> Entries => Set<Entry>();

    public DbSet<Currency> Currencies => Set<Currency>();

    public DbSet<Setting> Settings => Set<Setting>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Account>(b =>
        {
            b.IsSharded(a => a.Id);
            b.Property(a => a.Id).ValueGeneratedNever();
            b.HasIndex(a => a.Name);
            b.HasData(Enumerable.Range(1, 16).Select(id => new Account { Id = id, Name = $"account {id}" }));
        });
        modelBuilder.Entity<Entry>(b =>
        {
            b.IsSharded(e => e.AccountId);
            b.HasKey(e => new { e.AccountId, e.Number });
            b.HasOne<Account>().WithMany().HasForeignKey(e => e.AccountId);
        });
        modelBuilder.Entity<Currency>(b =>
        {
            b.IsReferenceTable();
            b.HasKey(c => c.Code);
            b.HasData(new Currency { Code = "EUR", Name = "euro" }, new Currency { Code = "SEK", Name = "krona" });
        });
        modelBuilder.Entity<Setting>(b =>
        {
            b.HasKey(s => s.Name);
            b.HasData(new Setting { Name = "language", Value = "en" });
        });
    }
}

public sealed class Account
{
    public int Id { get; set; }

    public required string Name { get; set; }
}

public sealed class Entry
{
    public int AccountId { get; set; }

    public int Number { get; set; }

    public decimal Amount { get; set; }
}

public sealed class Currency
{
    public required string Code { get; set; }

    public required string Name { get; set; }
}

public sealed class Setting
{
    public required string Name { get; set; }

    public required string Value { get; set; }
}
