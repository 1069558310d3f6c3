using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Entities that the model marks with <c>IsCacheable()</c> are cached without a word in the query, and contexts of a pool share what is kept.</summary>
public sealed class CacheOptInTests(ClusterFixture fixture)
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Queries_of_marked_entities_alone_are_cached()
    {
        var options = new DbContextOptionsBuilder<MarkedContext>().UseNpgsql(fixture.Cluster.Primary.ConnectionString).UseQueryCache().Options;
        await Eventually.ThatAsync(async () => await OutcomeAsync(c => c.Tags.Where(t => t.Id == -1).ToListAsync()) == CacheOutcome.LocalHit, _deadline, "the cache is in use");
        Assert.Equal(CacheOutcome.LocalHit, await OutcomeAsync(c => c.Tags.Where(t => t.Id == -1).ToListAsync()));

        // Whoever says no is not asked twice, and one that is not marked keeps the whole from being cached.
        Assert.False(IsHit(await OutcomeAsync(c => c.Tags.Where(t => t.Id == -1).NotCacheable().ToListAsync())));
        await AssertNeverCachedAsync(c => c.Notes.Where(n => n.Id == -1).ToListAsync());
        await AssertNeverCachedAsync(c => c.Tags.Where(t => t.Id == -1 && c.Notes.Any(n => n.Text == t.Name)).ToListAsync());

        // A write makes them old as any other.
        await using (var context = new MarkedContext(options))
        {
            var before = await context.Tags.CountAsync(t => t.Name == "marked");
            context.Add(new Tag { Name = "marked" });
            await context.SaveChangesAsync();
            Assert.Equal(before + 1, await context.Tags.CountAsync(t => t.Name == "marked"));
        }

        async Task AssertNeverCachedAsync<T>(Func<MarkedContext, Task<T>> query)
        {
            for (var i = 0; i < 3; i++)
            {
                Assert.False(IsHit(await OutcomeAsync(query)));
            }
        }

        async Task<CacheOutcome?> OutcomeAsync<T>(Func<MarkedContext, Task<T>> query)
        {
            await using var context = new MarkedContext(options);
            await query(context);
            return context.Database.LastRouting()!.Value.Cache?.Outcome;
        }
    }

    [Fact]
    public async Task Contexts_of_a_pool_share_results_and_see_what_others_of_it_wrote()
    {
        await using var redis = await RedisServer.StartAsync();
        var options = new DbContextOptionsBuilder<BlogContext>().UseNpgsql(fixture.Cluster.Primary.ConnectionString).UseQueryCache(c => c.Redis(redis.Endpoint)).Options;
        var pool = new PooledDbContextFactory<BlogContext>(options, poolSize: 2);
        var marker = $"pooled {Guid.NewGuid():N}";
        await Eventually.ThatAsync(async () => (await ReadAsync()).Outcome is CacheOutcome.LocalHit, _deadline, "the cache is in use");
        for (var round = 1; round <= 10; round++)
        {
            await using (var context = await pool.CreateDbContextAsync())
            {
                // What one lease has is not left to the next.
                Assert.Null(context.Database.LastRouting());
                Assert.Empty(context.ChangeTracker.Entries());
                context.Add(new Note { Text = marker });
                await context.SaveChangesAsync();
            }

            Assert.Equal(round, (await ReadAsync()).Count);
            await Eventually.ThatAsync(async () => await ReadAsync() is (CacheOutcome.LocalHit, var count) && count == round, _deadline, "the new result to be kept");
        }

        async Task<(CacheOutcome? Outcome, int Count)> ReadAsync()
        {
            await using var context = await pool.CreateDbContextAsync();
            var notes = await context.Notes.Where(n => n.Text == marker).Cacheable(TimeSpan.FromMinutes(5)).ToListAsync();
            return (context.Database.LastRouting()!.Value.Cache?.Outcome, notes.Count);
        }
    }

    private static bool IsHit(CacheOutcome? outcome) => outcome is CacheOutcome.Hit or CacheOutcome.LocalHit or CacheOutcome.StaleHit or CacheOutcome.Joined;

    // The tables of the blogs, of which the tags may be kept.
    private sealed class MarkedContext(DbContextOptions<MarkedContext> options) : DbContext(options)
    {
        public DbSet<Tag> Tags => Set<Tag>();

        public DbSet<Note> Notes => Set<Note>();

        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.Entity<Tag>().Ignore(t => t.Posts).IsCacheable(TimeSpan.FromMinutes(5));
            modelBuilder.Entity<Note>();
        }
    }
}
