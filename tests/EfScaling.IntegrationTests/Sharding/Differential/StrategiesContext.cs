using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Differential;

/// <summary>Families of parents and children, one for each strategy.</summary>
public sealed class StrategiesContext(DbContextOptions<StrategiesContext> options) : DbContext(options)
{
    public static IReadOnlyList<string> Regions { get; } = ["eu", "us", "asia"];

    /// <summary>Sets the map of each strategy.</summary>
    public static void UseMaps(ShardingOptionsBuilder sharding) => sharding
        .UseMap(
            shards => new RangeShardMap(
            [
                new ShardRange(null, ShardKey.Of(4), shards[0]),
                new ShardRange(ShardKey.Of(4), ShardKey.Of(6), shards[1]),
                new ShardRange(ShardKey.Of(6), ShardKey.Of(10), shards[2]),
                new ShardRange(ShardKey.Of(10), null, shards[3]),
            ]),
            "ranges")
        .UseMap(
            shards => new DirectoryShardMap(
                new HashShardMap(shards, 64, [ShardKeyType.Int4]),
                new Dictionary<ShardKey, string> { [ShardKey.Of(1)] = shards[3], [ShardKey.Of(2)] = shards[3], [ShardKey.Of(7)] = shards[0] }),
            "pins")
        .UseMap(shards => new RingShardMap(shards, keyTypes: [ShardKeyType.Int4]), "ring")
        .UseMap(
            shards => new GeographicShardMap(
                new Dictionary<string, IReadOnlyList<string>> { ["eu"] = [shards[0], shards[1]], ["us"] = [shards[2]], ["asia"] = [shards[3]] },
                keyTypes: [ShardKeyType.Text, ShardKeyType.Int4]),
            "regions");

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Colour>(c =>
        {
            c.IsReferenceTable();
            c.Property(x => x.Id).ValueGeneratedNever();
            c.HasData(new Colour { Id = 1, Name = "red" }, new Colour { Id = 2, Name = "green" }, new Colour { Id = 3, Name = "blue" });
        });
        Family<ByHash>(modelBuilder, "Hash", map: null, isComposite: false);
        Family<ByRange>(modelBuilder, "Range", "ranges", isComposite: false);
        Family<ByDirectory>(modelBuilder, "Directory", "pins", isComposite: false);
        Family<ByRing>(modelBuilder, "Ring", "ring", isComposite: false);
        Family<ByRegion>(modelBuilder, "Region", "regions", isComposite: true);
    }

    private static void Family<TStrategy>(ModelBuilder modelBuilder, string name, string? map, bool isComposite)
    {
        modelBuilder.Entity<Parent<TStrategy>>(p =>
        {
            p.ToTable($"{name}Parents");
            p.HasKey(x => new { x.Region, x.Key });
            _ = isComposite ? p.IsSharded(x => new { x.Region, x.Key }, map) : p.IsSharded(x => x.Key, map);
        });
        modelBuilder.Entity<Child<TStrategy>>(c =>
        {
            c.ToTable($"{name}Children");
            c.HasKey(x => new { x.Region, x.Key, x.Number });
            c.HasOne(x => x.Parent).WithMany(x => x.Children).HasForeignKey(x => new { x.Region, x.Key });
            c.HasOne(x => x.Colour).WithMany().HasForeignKey(x => x.ColourId);
            _ = isComposite ? c.IsSharded(x => new { x.Region, x.Key }, map) : c.IsSharded(x => x.Key, map);
        });
    }
}
