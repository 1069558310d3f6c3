using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;

namespace EfScaling.Tests.Sharding;

/// <summary>A row without a shard key of its own lives where all its ids say, and nowhere if they disagree.</summary>
public sealed class RowPlaceTests
{
    private static readonly HashShardMap _map = new(["a", "b"], buckets: 4, keyTypes: [ShardKeyType.Int4]);

    [Fact]
    public void A_join_of_two_rows_lives_with_both()
    {
        using var context = new FansContext();
        foreach (var bucket in Enumerable.Range(0, 4))
        {
            Assert.Equal(_map.ShardsOfBucket(bucket), ShardsOf(context, ShardedId.Of(1, bucket, 0, 0), ShardedId.Of(2, bucket, 3, 0)));
        }

        var refusal = Assert.Throws<InvalidOperationException>(() => ShardsOf(context, ShardedId.Of(1, 2, 0, 0), ShardedId.Of(2, 3, 0, 0)));
        Assert.Contains("carries another bucket than the other ids that it has", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("does not say whom it belongs to", Assert.Throws<InvalidOperationException>(() => ShardsOf(context, ShardedId.Of(1, 900, 0, 0), ShardedId.Of(2, 900, 0, 0))).Message, StringComparison.Ordinal);
    }

    private static IReadOnlyList<string> ShardsOf(FansContext context, long song, long fan)
    {
        EntityEntry entry = context.Set<Dictionary<string, object>>("Likes").Add(new Dictionary<string, object> { ["SongId"] = song, ["FanId"] = fan });
        var table = ShardedModel.Of(context.Model).Find(entry.Metadata);
        Assert.Empty(table.Key);
        Assert.Equal(["FanId", "SongId"], table.Ids.Select(i => i.Name).Order());
        return RowPlace.ShardsOf(table, _map, entry);
    }

    private sealed class FansContext : DbContext
    {
        protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) => optionsBuilder.UseNpgsql("Host=nowhere.invalid");

        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.Entity<Song>(b =>
            {
                b.IsSharded(s => s.LabelId);
                b.Property(s => s.Id).HasShardedId();
                b.HasMany(s => s.Fans).WithMany().UsingEntity(
                    "Likes",
                    r => r.HasOne(typeof(Fan)).WithMany().HasForeignKey("FanId"),
                    l => l.HasOne(typeof(Song)).WithMany().HasForeignKey("SongId"));
            });
            modelBuilder.Entity<Fan>(b =>
            {
                b.IsSharded(f => f.LabelId);
                b.Property(f => f.Id).HasShardedId();
            });
        }
    }

    private sealed class Song
    {
        public long Id { get; set; }

        public int LabelId { get; set; }

        public List<Fan> Fans { get; } = [];
    }

    private sealed class Fan
    {
        public long Id { get; set; }

        public int LabelId { get; set; }
    }
}
