using EfScaling.Caching;
using EfScaling.Caching.Redis;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>What queries and writes cost, counted on the wire to Redis and to the database, and in bytes.</summary>
public sealed class CacheCostTests(ClusterFixture fixture)
{
    private const int Rounds = 20;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Hits_and_misses_take_the_round_trips_that_they_need(bool async)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var toRedis = RoundTripCounter.Start(redis.Port);
        await using var toPrimary = RoundTripCounter.Start(fixture.Cluster.Primary.Port);
        var near = await StartAsync(toRedis, toPrimary, localMemory: 16 << 20);
        var far = await StartAsync(toRedis, toPrimary, localMemory: 0);

        // A miss asks for versions and result in one, and puts the result behind the caller's back.
        Assert.Equal((2, 1), await CostAsync(far, CacheOutcome.Absent, round => round));
        Assert.Equal((1, 0), await CostAsync(far, CacheOutcome.Hit, round => round));
        Assert.Equal((1, 0), await CostAsync(near, CacheOutcome.Hit, round => round));
        Assert.Equal((0, 0), await CostAsync(near, CacheOutcome.LocalHit, round => round));

        async Task<(int Redis, int Database)> CostAsync(CachedBlogs blogs, CacheOutcome outcome, Func<int, int> id)
        {
            await using var context = blogs.Context();
            var before = (Redis: toRedis.Count, Database: toPrimary.Count);
            for (var round = 1; round <= Rounds; round++)
            {
                var query = context.Tags.AsNoTracking().Where(t => t.Id == -id(round) * (async ? 1 : 1_000)).Cacheable(TimeSpan.FromMinutes(5));
                _ = async ? await query.ToListAsync() : query.ToList();
                Assert.Equal(outcome, context.Database.LastRouting()!.Value.Cache!.Value.Outcome);
                if (outcome == CacheOutcome.Absent)
                {
                    var puts = before.Redis + (2 * round);
                    await Eventually.ThatAsync(() => toRedis.Count >= puts, TimeSpan.FromSeconds(10), "the result to be put");
                }
            }

            // Fewer than the rounds can be other work of the connections; one more for each query cannot.
            return ((toRedis.Count - before.Redis) / Rounds, (toPrimary.Count - before.Database) / Rounds);
        }
    }

    [Fact]
    public async Task A_write_announces_itself_and_publishes_once_whatever_tables_it_writes()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var toRedis = RoundTripCounter.Start(redis.Port);
        await using var toPrimary = RoundTripCounter.Start(fixture.Cluster.Primary.Port);
        var blogs = await StartAsync(toRedis, toPrimary, localMemory: 0);
        await using var context = blogs.Context();
        var before = toRedis.Count;
        for (var round = 0; round < Rounds; round++)
        {
            context.AddRange(new Note { Text = "costs" }, new Tag { Name = "costs" });
            await context.SaveChangesAsync();
        }

        Assert.Equal(2, (toRedis.Count - before) / Rounds);
    }

    [Fact]
    public async Task A_hit_in_memory_allocates_no_more_than_is_promised()
    {
        var blogs = await CachedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        await ReadAsync();
        await ReadAsync();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var round = 0; round < 100; round++)
        {
            // Nothing of a hit waits, and so all of it is on this thread.
            Assert.True(ReadAsync().IsCompletedSuccessfully);
        }

        var bytes = (GC.GetAllocatedBytesForCurrentThread() - before) / 100;
        Assert.Equal(CacheOutcome.LocalHit, context.Database.LastRouting()!.Value.Cache!.Value.Outcome);
        Assert.InRange(bytes, 1, 12 * 1024);

        Task<List<Tag>> ReadAsync() => context.Tags.AsNoTracking().Where(t => t.Id == -7).Cacheable(TimeSpan.FromMinutes(5)).ToListAsync();
    }

    // Without the beats that look after the connection, which are nobody's.
    private Task<CachedBlogs> StartAsync(RoundTripCounter toRedis, RoundTripCounter toPrimary, long localMemory) => CachedBlogs.StartAsync(
        fixture.Cluster,
        c => c.Redis(RedisOptions.Parse($"127.0.0.1:{toRedis.Port}") with { Heartbeat = TimeSpan.FromMinutes(1), MaxWait = TimeSpan.FromSeconds(5) }).LocalMemory(localMemory),
        o => o.UseNpgsql(new Npgsql.NpgsqlConnectionStringBuilder(fixture.Cluster.Primary.ConnectionString) { Host = "127.0.0.1", Port = toPrimary.Port }.ConnectionString));
}
