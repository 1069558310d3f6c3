using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A context whose tenant is a schema or a column: one type, many models.</summary>
public sealed class TenantContext(DbContextOptions<TenantContext> options, string? schema, int tenant) : DbContext(options)
{
    public string? Schema { get; } = schema;

    public int Tenant { get; } = tenant;

    public DbSet<TenantNote> Notes => Set<TenantNote>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(Schema);
        modelBuilder.Entity<TenantNote>().ToTable("tenant_notes").HasQueryFilter(n => n.Tenant == Tenant);
    }

    /// <summary>Tells the models apart.</summary>
    internal sealed class ModelKey : IModelCacheKeyFactory
    {
        public object Create(DbContext context, bool designTime) => (context.GetType(), (context as TenantContext)?.Schema, designTime);
    }
}
