using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.Benchmarks.Servers;

/// <summary>The same model, its items spread over shards by their keys.</summary>
public sealed class ShardedItemContext(DbContextOptions<ShardedItemContext> options) : ItemContext(options)
{
    /// <summary>Returns contexts over shards.</summary>
    /// <param name="databases">The databases of the first shards, each with all rows, so that any shard has the row that a query asks for.</param>
    /// <param name="shards">How many shards; those without a database are nowhere.</param>
    internal static ShardedDbContextFactory<ShardedItemContext> Factory(IReadOnlyList<string> databases, int shards) => new ServiceCollection()
        .AddShardedDbContextFactory<ShardedItemContext>((_, options) => options.UseNpgsql().UseSharding(s =>
        {
            for (var i = 0; i < shards; i++)
            {
                var name = FormattableString.Invariant($"s{i}");
                s.AddShard(name, i < databases.Count ? databases[i] : new NpgsqlConnectionStringBuilder(databases[0]) { Database = name }.ConnectionString);
            }
        }))
        .BuildServiceProvider()
        .GetRequiredService<ShardedDbContextFactory<ShardedItemContext>>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        modelBuilder.Entity<Item>().IsSharded(i => i.Id).Property(i => i.Id).ValueGeneratedNever();
    }
}
