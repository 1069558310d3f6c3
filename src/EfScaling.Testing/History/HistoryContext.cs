using Microsoft.EntityFrameworkCore;

namespace EfScaling.Testing.History;

/// <summary>A context with nothing but the registers, to check options without an application.</summary>
/// <param name="options">The options: <c>UseNpgsql</c>, then <c>UseReadReplicas</c>.</param>
public sealed class HistoryContext(DbContextOptions options) : DbContext(options)
{
    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        ArgumentNullException.ThrowIfNull(modelBuilder);
        modelBuilder.Entity<HistoryBoard>();
        modelBuilder.Entity<HistoryRegister>();
    }
}
