using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Whatever overtakes whatever: no result outlives a write that it does not show.</summary>
public sealed class CacheRaceTests(ClusterFixture fixture)
{
    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Fact]
    public async Task Rows_that_were_read_before_a_write_and_kept_after_it_are_not_used()
    {
        await using var redis = await RedisServer.StartAsync();
        var (here, there) = (await StartAsync(redis), await StartAsync(redis));
        await _notes.AddAsync(here);
        await _notes.AddAsync(here);
        foreach (var writer in new[] { there, here })
        {
            await using var context = here.Context();
            await using (var rows = _notes.Query(context).AsAsyncEnumerable().GetAsyncEnumerator())
            {
                Assert.True(await rows.MoveNextAsync());
                await _notes.AddAsync(writer);
                while (await rows.MoveNextAsync())
                {
                }
            }

            foreach (var reader in new[] { here, there, here, there })
            {
                await using var fresh = reader.Context();
                Assert.Equal(await _notes.TruthAsync(), (await _notes.Query(fresh).ToListAsync()).Count);
            }
        }
    }

    [Fact]
    public async Task A_result_whose_versions_move_while_it_is_read_is_returned_and_not_kept()
    {
        await using var redis = await RedisServer.StartAsync();
        var gate = new CommandGate("count(*)");
        var (here, there) = (await StartAsync(redis, gate), await StartAsync(redis));
        using var overtaken = new RefusedFills(CacheOutcome.Overtaken);
        gate.Close();
        var reading = _notes.CountAsync(here);
        await gate.Arrived.WaitAsync(MarkedNotes.Patience);
        await _notes.AddAsync(there);
        var kept = await redis.ExecuteAsync("KEYS", "efs:*:q:*");

        gate.Open();

        var (count, cache) = await reading;
        Assert.Equal((0, CacheOutcome.Absent), (count, cache.Outcome));
        await Eventually.ThatAsync(() => Task.FromResult(overtaken.Count > 0), MarkedNotes.Patience, "the result to be refused");
        Assert.Equal(kept, await redis.ExecuteAsync("KEYS", "efs:*:q:*"));
        await _notes.AreRightAsync(here, there);
        await _notes.AreCachedAsync(here, there);
    }

    [Fact]
    public async Task A_reader_that_has_written_does_not_join_an_older_load()
    {
        await using var redis = await RedisServer.StartAsync();
        var gate = new CommandGate("count(*)");
        var here = await StartAsync(redis, gate);
        await _notes.AddAsync(here);
        gate.Close();
        var leader = _notes.CountAsync(here);
        await gate.Arrived.WaitAsync(MarkedNotes.Patience);

        await _notes.AddAsync(here);

        Assert.Equal(2, (await _notes.CountAsync(here)).Count);
        Assert.False(leader.IsCompleted);
        gate.Open();
        Assert.Equal(1, (await leader).Count);
        await _notes.AreRightAsync(here);
        await _notes.AreCachedAsync(here);
        await _notes.AreRightAsync(here);
    }

    [Fact]
    public async Task A_reader_that_has_written_nothing_joins()
    {
        await using var redis = await RedisServer.StartAsync();
        var gate = new CommandGate("count(*)");
        var here = await StartAsync(redis, gate);
        gate.Close();
        var leader = _notes.CountAsync(here);
        await gate.Arrived.WaitAsync(MarkedNotes.Patience);
        var follower = _notes.CountAsync(here);
        gate.Open();
        Assert.Equal(CacheOutcome.Absent, (await leader).Cache.Outcome);

        // Who comes when the load has just ended finds what it has left.
        Assert.True((await follower).Cache.Outcome is CacheOutcome.Joined or CacheOutcome.LocalHit);
        Assert.Single(here.Log.Sql, sql => sql.Contains("count(*)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Each_write_gives_its_table_a_version_that_it_never_had()
    {
        await using var redis = await RedisServer.StartAsync();
        var here = await StartAsync(redis);
        await _notes.AreCachedAsync(here);
        var key = await KeyAsync(redis, "efs:*:v:public.Notes");
        var seen = new HashSet<string?> { await redis.ExecuteAsync("GET", key) };
        for (var i = 0; i < 10; i++)
        {
            await _notes.AddAsync(here);
            Assert.True(seen.Add(await redis.ExecuteAsync("GET", key)));
        }
    }

    [Fact]
    public async Task The_store_holds_results_and_versions_alone_and_grows_with_neither_reads_nor_writes()
    {
        await using var redis = await RedisServer.StartAsync();
        var here = await StartAsync(redis);
        for (var i = 0; i < 10; i++)
        {
            await _notes.AddAsync(here);
            await _notes.AreRightAsync(here);
        }

        await _notes.AreCachedAsync(here);
        string[] keys = [];
        await Eventually.ThatAsync(
            async () =>
            {
                // A write that is over is taken back a moment later.
                keys = (await redis.ExecuteAsync("KEYS", "*"))!.Split('\n');
                return Array.TrueForAll(keys, k => !k.Contains("}:i", StringComparison.Ordinal));
            },
            MarkedNotes.Patience,
            "no write to be announced");

        // Of the notes, and of the query that waited for the cache.
        Assert.Equal(2, keys.Count(k => k.Contains("}:q:", StringComparison.Ordinal)));
        Assert.Equal(["d", "v:public.Notes", "v:public.Tags", "w"], keys.Select(k => k[(k.IndexOf('}', StringComparison.Ordinal) + 2)..]).Where(k => k[0] != 'q').Order());
    }

    [Theory]
    [InlineData("efs:*:v:public.Notes")]
    [InlineData("efs:*:w")]
    [InlineData("efs:*:d")]
    public async Task A_version_that_vanishes_is_a_miss(string pattern)
    {
        await using var redis = await RedisServer.StartAsync();
        var (here, there) = (await StartAsync(redis), await CachedBlogs.StartAsync(fixture.Cluster, c => To(c, redis).LocalMemory(0)));
        await _notes.AreCachedAsync(here, there);

        // What nobody was told of is seen as soon as the version is gone.
        await fixture.Cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") VALUES ('{_notes.Mark}')");
        Assert.Equal(0, (await _notes.CountAsync(there)).Count);
        await redis.ExecuteAsync("DEL", await KeyAsync(redis, pattern));

        Assert.Equal(1, (await _notes.CountAsync(there)).Count);
        await Eventually.ThatAsync(async () => (await _notes.CountAsync(here)).Count == 1, MarkedNotes.Patience, "the other process to be told");
        await _notes.AreCachedAsync(here, there);
        await _notes.AreRightAsync(here, there);
    }

    [Fact]
    public async Task Results_of_a_history_that_was_lost_are_not_used_after_a_promotion()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        await using var redis = await RedisServer.StartAsync();
        var notes = new MarkedNotes(cluster);
        var standby = cluster.Standbys[0];
        var before = await CachedBlogs.StartAsync(cluster, c => To(c, redis));
        await notes.AddAsync(before);
        await cluster.WaitForReplicationAsync();
        await standby.StopAsync();
        await notes.AddAsync(before);
        await notes.AreCachedAsync(before);
        Assert.Equal(2, (await notes.CountAsync(before)).Count);
        await Eventually.ThatAsync(async () => (await redis.ExecuteAsync("KEYS", "efs:*:q:*"))?.Split('\n').Length >= 2, MarkedNotes.Patience, "the result to be stored");

        await cluster.Primary.KillAsync();
        await standby.StartAsync();
        await standby.PromoteAsync();
        var after = await CachedBlogs.StartAsync(cluster, c => To(c, redis), o => o.UseNpgsql(standby.ConnectionString));

        var (count, cache) = await notes.CountAsync(after);
        Assert.Equal(1, count);
        Assert.Equal(CacheOutcome.Stale, cache.Outcome);
        await notes.AreCachedAsync(after);
        Assert.Equal(1, (await notes.CountAsync(after)).Count);
    }

    private static QueryCacheOptionsBuilder To(QueryCacheOptionsBuilder cache, RedisServer redis) => cache.Redis(MarkedNotes.To(redis.Endpoint));

    private static async Task<string> KeyAsync(RedisServer redis, string pattern) => Assert.Single((await redis.ExecuteAsync("KEYS", pattern))!.Split('\n'));

    private Task<CachedBlogs> StartAsync(RedisServer redis, CommandGate? gate = null) =>
        CachedBlogs.StartAsync(fixture.Cluster, c => To(c, redis), o => o.AddInterceptors(gate is null ? [] : [gate]));
}
