using System.Globalization;
using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Hits need no database, and many misses at once cost it one query.</summary>
public sealed class CacheStampedeTests(ClusterFixture fixture)
{
    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_many_requests_for_a_cold_result_one_asks_the_database(bool isAsync)
    {
        await using var redis = await RedisServer.StartAsync();
        var gate = new CommandGate(isAsync ? "count(*)" : "never");
        var process = await CachedBlogs.StartAsync(fixture.Cluster, c => To(c, redis), o => o.AddInterceptors(gate));
        gate.Close();
        var requests = Enumerable.Range(0, 200).Select(_ => Task.Run(async () =>
        {
            await using var context = process.Context();
            return isAsync ? await _notes.Query(context).CountAsync() : _notes.Query(context).Count();
        })).ToList();
        gate.Open();
        Assert.All(await Task.WhenAll(requests), count => Assert.Equal(0, count));
        Assert.Single(process.Log.Sql);
    }

    [Fact]
    public async Task Of_many_processes_that_need_an_expensive_result_one_asks_the_database()
    {
        await using var redis = await RedisServer.StartAsync();
        var gate = new CommandGate("count(*)");
        var here = await CachedBlogs.StartAsync(fixture.Cluster, c => To(c, redis), o => o.AddInterceptors(gate));
        var there = await CachedBlogs.StartAsync(fixture.Cluster, c => To(c, redis));
        gate.Close();
        var first = CountAsync(here);
        await gate.Arrived.WaitAsync(MarkedNotes.Patience);
        var others = Enumerable.Range(0, 20).Select(i => CountAsync(i % 2 == 0 ? there : here)).ToList();

        // The other process has asked for the right to load, and waits.
        await Eventually.ThatAsync(async () => await redis.ExecuteAsync("KEYS", "efs:*:l:*") is { Length: > 0 }, MarkedNotes.Patience, "the lease");
        gate.Open();

        await first;
        await Task.WhenAll(others);
        Assert.Equal(1, here.Log.Sql.Count + there.Log.Sql.Count);

        async Task<int> CountAsync(CachedBlogs process)
        {
            await using var context = process.Context();
            return await _notes.Query(context).AsExpensive().CountAsync();
        }
    }

    [Fact]
    public async Task Results_do_not_all_expire_at_once()
    {
        await using var redis = await RedisServer.StartAsync();
        var process = await CachedBlogs.StartAsync(fixture.Cluster, c => To(c, redis));
        for (var i = 0; i < 30; i++)
        {
            await process.OutcomeAsync(c => c.Notes.Where(n => n.Text == _notes.Mark && n.Id > i).Cacheable(TimeSpan.FromHours(1)).ToListAsync());
        }

        var times = new List<double>();
        await Eventually.ThatAsync(
            async () =>
            {
                times.Clear();
                foreach (var key in (await redis.ExecuteAsync("KEYS", "efs:*:q:*"))!.Split('\n'))
                {
                    times.Add(double.Parse((await redis.ExecuteAsync("PTTL", key))!, CultureInfo.InvariantCulture) / 3_600_000);
                }

                return times.Count(t => t > 0.1) == 30;
            },
            MarkedNotes.Patience,
            "the results to be stored");
        times.RemoveAll(t => t < 0.1);
        Assert.All(times, t => Assert.InRange(t, 0.89, 1.0));
        Assert.True(times.Max() - times.Min() > 0.03, $"within {times.Max() - times.Min():P} of an hour");
    }

    [Theory]
    [InlineData(64 << 20)]
    [InlineData(0)]
    public async Task Hits_need_no_database(long local)
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0 });
        await BlogContext.CreateSchemaAsync(cluster);
        await using var redis = await RedisServer.StartAsync();
        var notes = new MarkedNotes(cluster);
        var process = await CachedBlogs.StartAsync(cluster, c => To(c, redis).LocalMemory(local));
        await notes.AddAsync(process);
        await notes.AreCachedAsync(process);
        await using var kept = process.Context();
        Assert.Equal(1, await notes.Query(kept).CountAsync());

        await cluster.Primary.StopAsync();

        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(1, await notes.Query(kept).CountAsync());
            Assert.Equal(1, notes.Query(kept).Count());
            var (count, cache) = await notes.CountAsync(process);
            Assert.Equal((1, true), (count, cache.IsHit));
        }

        await Assert.ThrowsAnyAsync<Exception>(() => kept.Notes.CountAsync());
        Assert.Equal(1, await notes.Query(kept).CountAsync());
        await cluster.Primary.StartAsync();
        await notes.AddAsync(process);
        await notes.AreRightAsync(process);
    }

    [Fact]
    public async Task Hits_need_no_connection_of_a_pool_that_is_used_up()
    {
        var one = new NpgsqlConnectionStringBuilder(fixture.Cluster.Primary.ConnectionString) { MaxPoolSize = 1, Timeout = 1, ApplicationName = _notes.Mark }.ConnectionString;
        var process = await CachedBlogs.StartAsync(fixture.Cluster, also: o => o.UseNpgsql(one));
        await _notes.AreCachedAsync(process);
        await using var greedy = process.Context();
        await greedy.Database.OpenConnectionAsync();
        await using var context = process.Context();
        await Assert.ThrowsAnyAsync<Exception>(() => context.Notes.CountAsync());

        Assert.Equal(CacheOutcome.LocalHit, (await _notes.CountAsync(process)).Cache.Outcome);
        Assert.Equal(0, await _notes.Query(context).CountAsync());
    }

    // Hundreds of requests at once take their time on a busy machine, which is no outage.
    private static QueryCacheOptionsBuilder To(QueryCacheOptionsBuilder cache, RedisServer redis) => cache.Redis(MarkedNotes.To(redis.Endpoint) with { MaxWait = MarkedNotes.Patience });
}
