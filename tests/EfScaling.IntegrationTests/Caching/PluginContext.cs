using Microsoft.EntityFrameworkCore;
using NodaTime;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Values of types that a plugin of the provider maps.</summary>
public sealed class PluginContext(DbContextOptions<PluginContext> options) : DbContext(options)
{
    public DbSet<Visit> Visits => Set<Visit>();

    public static DbContextOptionsBuilder<PluginContext> OptionsOf(string connectionString) =>
        new DbContextOptionsBuilder<PluginContext>().UseNpgsql(connectionString, o => o.UseNodaTime());
}

/// <summary>A row of them.</summary>
public sealed class Visit
{
    public int Id { get; set; }

    public Instant At { get; set; }

    public Instant? Left { get; set; }

    public LocalDate Day { get; set; }
}
