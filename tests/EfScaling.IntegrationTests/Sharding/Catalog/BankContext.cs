using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>Accounts with their entries by account, and rates on every shard.</summary>
public sealed class BankContext(DbContextOptions<BankContext> options) : DbContext(options)
{
    public DbSet<Account> Accounts => Set<Account>();

    public DbSet<Entry> Entries => Set<Entry>();

    public DbSet<Rate> Rates => Set<Rate>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Account>(b =>
        {
            b.ToTable("accounts");
            b.IsSharded(a => a.Id);
            b.Property(a => a.Id).HasColumnName("id").ValueGeneratedNever();
            b.Property(a => a.Balance).HasColumnName("balance");
            b.Property(a => a.Note).HasColumnName("note");

            // Moves with the row, as the system column does not.
            b.Property(a => a.Revision).HasColumnName("revision").IsConcurrencyToken();
        });
        modelBuilder.Entity<Entry>(b =>
        {
            b.ToTable("entries");
            b.IsSharded(e => e.AccountId);
            b.HasKey(e => new { e.AccountId, e.Id });
            b.Property(e => e.AccountId).HasColumnName("account_id");
            b.Property(e => e.Id).HasColumnName("id").ValueGeneratedNever();
            b.Property(e => e.Amount).HasColumnName("amount").IsConcurrencyToken();
            b.HasOne<Account>().WithMany(a => a.Entries).HasForeignKey(e => e.AccountId);
        });
        modelBuilder.Entity<Rate>(b =>
        {
            b.IsReferenceTable();
            b.Property(r => r.Id).ValueGeneratedNever();
            b.HasData(new Rate { Id = 1, Percent = 2 });
        });
    }
}

public sealed class Account
{
    public int Id { get; set; }

    public long Balance { get; set; }

    public string? Note { get; set; }

    public int Revision { get; set; }

    public List<Entry> Entries { get; } = [];
}

public sealed class Entry
{
    public int AccountId { get; set; }

    public Guid Id { get; set; } = Guid.NewGuid();

    public long Amount { get; set; }
}

public sealed class Rate
{
    public int Id { get; set; }

    public int Percent { get; set; }
}
