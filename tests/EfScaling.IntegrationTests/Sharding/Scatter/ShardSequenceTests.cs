using EfScaling.IntegrationTests.Clusters;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>A page in the order of the shard key is read from the shards that have it, one after the other, where they hold ranges of keys.</summary>
public sealed class ShardSequenceTests(ClusterFixture fixture) : IClassFixture<ClusterFixture>, IAsyncLifetime
{
    private const int Days = 30;
    private const int Sightings = 4;

    private static readonly string[] _shards = ["c_old", "a_middle", "b_new"];

    private readonly List<Sighting> _all =
        [.. Enumerable.Range(0, Days * Sightings).Select(i => new Sighting { Day = i / Sightings, Id = (i * 7) % 11, Bird = i % 3 == 0 ? "wren" : "tit" })];

    private DbContextOptions<SightingContext> _options = null!;
    private DbContextOptions<SightingContext> _apart = null!;

    public async ValueTask InitializeAsync()
    {
        var name = $"sequence_{Guid.NewGuid():N}";
        foreach (var shard in _shards)
        {
            await fixture.Cluster.Primary.ExecuteAsync($"CREATE DATABASE {name}_{shard}");
        }

        _options = Options(new RangeShardMap([new ShardRange(null, ShardKey.Of(10), "c_old"), new ShardRange(ShardKey.Of(10), ShardKey.Of(20), "a_middle"), new ShardRange(ShardKey.Of(20), null, "b_new")]));
        _apart = Options(new RangeShardMap(
            [new ShardRange(null, ShardKey.Of(10), "c_old"), new ShardRange(ShardKey.Of(10), ShardKey.Of(20), "a_middle"), new ShardRange(ShardKey.Of(20), ShardKey.Of(1000), "b_new"), new ShardRange(ShardKey.Of(1000), null, "c_old")]));
        await using var context = new SightingContext(_options);
        await context.Database.EnsureCreatedAsync();
        context.AddRange(_all);
        await context.SaveChangesAsync();

        DbContextOptions<SightingContext> Options(ShardMap map) => new DbContextOptionsBuilder<SightingContext>()
            .UseNpgsql()
            .UseSharding(s =>
            {
                foreach (var shard in _shards)
                {
                    s.AddShard(shard, new NpgsqlConnectionStringBuilder(fixture.Cluster.Primary.ConnectionString) { Database = $"{name}_{shard}" }.ConnectionString);
                }

                s.UseMap(_ => map);
            })
            .Options;
    }

    [Theory]
    [InlineData(0, 8, false, "c_old")]
    [InlineData(0, 8, true, "b_new, c_old")]
    [InlineData(35, 10, false, "a_middle, c_old")]
    [InlineData(38, 6, true, "a_middle, b_new, c_old")]
    [InlineData(0, 1_000, false, "a_middle, b_new, c_old")]
    public async Task Only_the_shards_that_have_the_page_are_asked(int skip, int take, bool descending, string asked)
    {
        foreach (var async in new[] { true, false })
        {
            await using var context = new SightingContext(_options);
            var query = (descending ? context.Sightings.OrderByDescending(s => s.Day) : context.Sightings.OrderBy(s => s.Day)).ThenBy(s => s.Id).Skip(skip).Take(take);
            var expected = (descending ? _all.OrderByDescending(s => s.Day) : _all.OrderBy(s => s.Day)).ThenBy(s => s.Id).Skip(skip).Take(take);
            Assert.Equal(expected.Select(s => (s.Day, s.Id, s.Bird)), (async ? await query.ToListAsync() : query.ToList()).Select(s => (s.Day, s.Id, s.Bird)));
            Assert.Equal(asked, context.Database.LastRouting()!.Value.Shard);
            Assert.Contains(
                $"collected from {(descending ? "b_new, a_middle, c_old" : "c_old, a_middle, b_new")}, one after the other until there are enough: SELECT", query.ToRoutingString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Rows_of_later_shards_make_up_for_those_that_a_condition_leaves_out()
    {
        await using var context = new SightingContext(_options);
        var wrens = context.Sightings.Where(s => s.Bird == "wren" && s.Day > 6).OrderBy(s => s.Day).ThenBy(s => s.Id).Select(s => new { s.Id, s.Day });
        Assert.Equal(
            _all.Where(s => s.Bird == "wren" && s.Day > 6).OrderBy(s => s.Day).ThenBy(s => s.Id).Take(15).Select(s => new { s.Id, s.Day }), await wrens.Take(15).ToListAsync());
        Assert.Equal("a_middle, c_old", context.Database.LastRouting()!.Value.Shard);
        Assert.Equal(_all.Max(s => s.Day), (await context.Sightings.OrderBy(s => s.Day).LastAsync()).Day);
        Assert.Equal("b_new, c_old", context.Database.LastRouting()!.Value.Shard);

        // Inside another query.
        Assert.Equal(
            _all.OrderBy(s => s.Day).ThenBy(s => s.Id).Take(20).GroupBy(s => s.Bird).OrderBy(g => g.Key).Select(g => new { g.Key, Count = g.Count() }),
            await context.Sightings.OrderBy(s => s.Day).ThenBy(s => s.Id).Take(20).GroupBy(s => s.Bird).OrderBy(g => g.Key).Select(g => new { g.Key, Count = g.Count() }).ToListAsync());
        Assert.Equal("c_old", context.Database.LastRouting()!.Value.Shard);
    }

    [Fact]
    public async Task All_shards_are_asked_at_once_where_one_after_the_other_is_not_certain_or_not_faster()
    {
        await using var context = new SightingContext(_options);
        await using var apart = new SightingContext(_apart);
        string[] plans =
        [
            context.Sightings.OrderBy(s => s.Id).Take(5).ToRoutingString(),
            context.Sightings.OrderBy(s => s.Bird).ThenBy(s => s.Day).Take(5).ToRoutingString(),
            context.Sightings.OrderBy(s => s.Day).ToRoutingString(),
            context.Sightings.OrderBy(s => s.Day).Take(1_001).ToRoutingString(),
            apart.Sightings.OrderBy(s => s.Day).Take(5).ToRoutingString(),
        ];
        Assert.All(plans, p => Assert.DoesNotContain("one after the other", p, StringComparison.Ordinal));
        Assert.Equal(_all.OrderBy(s => s.Day).ThenBy(s => s.Id).Take(45).Select(s => (s.Day, s.Id)), (await apart.Sightings.OrderBy(s => s.Day).Take(45).ToListAsync()).Select(s => (s.Day, s.Id)));

        // Whoever goes without shards that fail is told of each.
        using (context.Database.AllowPartialResults(out _))
        {
            Assert.Equal(5, (await context.Sightings.OrderBy(s => s.Day).Take(5).ToListAsync()).Count);
            Assert.Equal("a_middle, b_new, c_old", context.Database.LastRouting()!.Value.Shard);
        }
    }

    [Fact]
    public async Task All_shards_are_asked_at_once_for_rows_that_cannot_be_collected()
    {
        await using var context = new SightingContext(_options);
        context.AddRange(Enumerable.Range(0, Days).Select(d => new Prize { Day = d, Worth = d * 1.5m }));
        await context.SaveChangesAsync();
        var prizes = context.Prizes.OrderBy(p => p.Day).Skip(8).Take(4);
        Assert.Equal([12m, 13.5m, 15m, 16.5m], (await prizes.ToListAsync()).Select(p => p.Worth));
        Assert.Equal("a_middle, b_new, c_old", context.Database.LastRouting()!.Value.Shard);
        Assert.Contains("merged in order from", prizes.ToRoutingString(), StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        await using var context = new SightingContext(_options);
        await context.Database.EnsureDeletedAsync();
    }

    public sealed class SightingContext(DbContextOptions<SightingContext> options) : DbContext(options)
    {
        public DbSet<Sighting> Sightings => Set<Sighting>();

        public DbSet<Prize> Prizes => Set<Prize>();

        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.Entity<Sighting>(b =>
            {
                b.IsSharded(s => s.Day);
                b.HasKey(s => new { s.Day, s.Id });
                b.Property(s => s.Id).ValueGeneratedNever();
            });
            modelBuilder.Entity<Prize>(b =>
            {
                b.IsSharded(p => p.Day);
                b.HasKey(p => p.Day);
                b.Property(p => p.Day).ValueGeneratedNever();

                // Each database writes money in its own manner.
                b.Property(p => p.Worth).HasColumnType("money");
            });
        }
    }

    public sealed class Sighting
    {
        public int Day { get; set; }

        public int Id { get; set; }

        public string Bird { get; set; } = string.Empty;
    }
    public sealed class Prize
    {
        public int Day { get; set; }

        public decimal Worth { get; set; }
    }
}
