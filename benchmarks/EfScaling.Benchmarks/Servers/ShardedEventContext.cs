using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Servers;

/// <summary>The same model, its events spread over shards by their owners.</summary>
public sealed class ShardedEventContext(DbContextOptions<ShardedEventContext> options) : EventContext(options)
{
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        modelBuilder.Entity<Occurrence>().IsSharded(e => e.Owner);
    }
}
