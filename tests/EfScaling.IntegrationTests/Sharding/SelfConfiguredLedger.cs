using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>A ledger without a constructor for options.</summary>
public sealed class SelfConfiguredLedger : LedgerContext
{
    /// <summary>What the contexts of a test, and all that follows from it, are configured by.</summary>
    internal static readonly AsyncLocal<Action<DbContextOptionsBuilder>?> Configuration = new();

    protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) => Configuration.Value!(optionsBuilder);
}
