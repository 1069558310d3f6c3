using System.Diagnostics;
using EfScaling.Caching;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Whatever happens to Redis: queries are answered, nobody sees anything old, and the cache is in use again afterwards.</summary>
public sealed class CacheFailureTests(ClusterFixture fixture, ITestOutputHelper output)
{
    // Much for an operation, so that a busy machine is no outage.
    private static readonly TimeSpan _wait = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _limit = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan _margin = TimeSpan.FromMilliseconds(400);

    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Fact]
    public async Task A_server_that_is_down_from_the_start_is_used_when_it_comes()
    {
        await using var redis = await RedisServer.StartAsync();
        await redis.StopAsync();
        var (here, there) = (CachedBlogs.Create(fixture.Cluster, To(redis)), CachedBlogs.Create(fixture.Cluster, To(redis)));
        for (var i = 0; i < 5; i++)
        {
            await _notes.AddAsync(here);
            await _notes.AreRightAsync(here, there);
            Assert.Equal(CacheOutcome.StoreUnavailable, (await _notes.CountAsync(here)).Cache.Outcome);
        }

        await redis.StartAsync();
        await _notes.AreCachedAsync(here, there);
        await _notes.AddAsync(here);
        await _notes.AreRightAsync(here, there);
    }

    [Fact]
    public async Task A_write_that_began_before_the_cache_knew_the_database_is_published()
    {
        await using var redis = await RedisServer.StartAsync();
        await redis.StopAsync();
        var (here, there) = (CachedBlogs.Create(fixture.Cluster, To(redis)), CachedBlogs.Create(fixture.Cluster, To(redis)));
        await using var context = here.Context();
        await using var transaction = await context.Database.BeginTransactionAsync();
        context.Add(new Note { Text = _notes.Mark });
        await context.SaveChangesAsync();
        await redis.StartAsync();
        await _notes.AreCachedAsync(here, there);

        await transaction.CommitAsync();

        await _notes.AreRightAsync(here, there);
        Assert.Equal(1, await _notes.TruthAsync());
    }

    [Fact]
    public async Task A_server_that_is_killed_costs_no_query_and_what_was_written_meanwhile_is_published_late()
    {
        await using var redis = await RedisServer.StartAsync(new() { Arguments = ["--appendonly", "yes", "--appendfsync", "always"] });
        var (here, there) = await TwoAsync(redis);
        await _notes.AreCachedAsync(here, there);

        await redis.KillAsync();
        for (var i = 0; i < 5; i++)
        {
            await _notes.AddAsync(here);
            await _notes.AreRightAsync(here, there);
        }

        Assert.NotEqual(0, here.Events.Count(EfScalingEventId.WriteNotPublished));
        await _notes.HaveOutcomeAsync(there, CacheOutcome.StoreUnavailable);

        // With all the data that it had: entries that were right before the writes, and their versions.
        await redis.StartAsync();
        await Eventually.ThatAsync(() => here.Events.Count(EfScalingEventId.WritePublishedLate) > 0, MarkedNotes.Patience, "the publication to be made up for");
        await _notes.AreRightAsync(here, there);
        await _notes.AreCachedAsync(here, there);
        await _notes.AreRightAsync(here, there);
        Assert.NotEqual(0, here.Events.Count(EfScalingEventId.StoreUnavailable));
        Assert.NotEqual(0, here.Events.Count(EfScalingEventId.StoreRecovered));
    }

    [Fact]
    public async Task A_frozen_server_costs_its_time_limit_and_is_then_not_asked_any_more()
    {
        await using var redis = await RedisServer.StartAsync();
        var (here, there) = await TwoAsync(redis, _limit);
        await _notes.AreCachedAsync(here);

        await redis.SuspendAsync();
        await using (var context = here.Context())
        {
            context.Add(new Note { Text = _notes.Mark });
            await TimedAsync("write", () => context.SaveChangesAsync());
        }

        await Eventually.ThatAsync(
            async () =>
            {
                await TimedAsync("read", () => _notes.AreRightAsync(here));
                return (await _notes.CountAsync(here)).Cache is { Outcome: CacheOutcome.StoreUnavailable, Detail: { Length: > 0 } } or { Outcome: CacheOutcome.WriteUnderWay };
            },
            MarkedNotes.Patience,
            "the server to be left alone");
        await _notes.HaveOutcomeAsync(there, CacheOutcome.StoreUnavailable);
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < 20; i++)
        {
            await _notes.AreRightAsync(here);
            Assert.Equal(CacheOutcome.StoreUnavailable, (await _notes.CountAsync(there)).Cache.Outcome);
        }

        // Had each asked, they had waited for twice as long.
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, 20 * _limit);
        await redis.ContinueAsync();
        await _notes.AreCachedAsync(here, there);
        await _notes.AreRightAsync(here, there);
    }

    [Fact]
    public async Task A_network_that_is_slow_hangs_or_is_cut_costs_no_query()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var proxy = await TcpProxy.StartAsync(redis.Host, redis.Port);
        var here = await CachedBlogs.StartAsync(fixture.Cluster, c => c.Redis(MarkedNotes.To($"{proxy.Host}:{proxy.Port}") with { MaxWait = _wait, ConnectTimeout = _wait }));
        var there = await CachedBlogs.StartAsync(fixture.Cluster, To(redis));
        (string What, Func<Task> Break)[] ways =
        [
            ("slow", () => Task.FromResult(proxy.Delay = _wait + _margin)),
            ("hanging", () =>
            {
                proxy.HalfOpen();
                return Task.CompletedTask;
            }),
            ("cut", proxy.CutAsync),
        ];
        foreach (var (what, breakIt) in ways)
        {
            await _notes.AreCachedAsync(here, there);
            await breakIt();
            for (var i = 0; i < 2; i++)
            {
                await _notes.AddAsync(here);
                await _notes.AreRightAsync(here);
            }

            await _notes.AddAsync(there);
            await Eventually.ThatAsync(async () => (await _notes.CountAsync(here)).Count == await _notes.TruthAsync(), MarkedNotes.Patience, $"the other's write to be seen, {what}");
            await _notes.HaveOutcomeAsync(here, CacheOutcome.StoreUnavailable);
            await _notes.AreRightAsync(here);

            proxy.Delay = TimeSpan.Zero;
            proxy.Restore();
            var late = here.Events.Count(EfScalingEventId.WritePublishedLate);
            await _notes.AreCachedAsync(here);
            Assert.True(late <= here.Events.Count(EfScalingEventId.WritePublishedLate));
            await _notes.AreRightAsync(here, there);
        }
    }

    [Fact]
    public async Task A_server_that_comes_back_with_an_old_snapshot_brings_no_old_result_back()
    {
        await using var redis = await RedisServer.StartAsync();
        var (here, there) = await TwoAsync(redis);
        await _notes.AddAsync(here);
        await _notes.AreCachedAsync(here, there);
        await EntryIsStoredAsync(redis);
        await redis.ExecuteAsync("SAVE");
        await _notes.AddAsync(here);
        await _notes.AreRightAsync(here, there);

        await redis.KillAsync();
        await redis.StartAsync();
        Assert.NotEqual("0", await redis.ExecuteAsync("DBSIZE"));

        await _notes.AreRightAsync(here, there);
        await _notes.AreCachedAsync(here, there);
        await _notes.AreRightAsync(here, there);
    }

    [Fact]
    public async Task A_server_that_comes_back_empty_or_is_flushed_costs_misses_alone()
    {
        await using var redis = await RedisServer.StartAsync();
        var (here, there) = await TwoAsync(redis);
        foreach (var empty in new Func<Task>[] { () => redis.ExecuteAsync("FLUSHALL"), () => RestartAsync(redis) })
        {
            await _notes.AddAsync(here);
            await _notes.AreCachedAsync(here, there);
            await empty();
            await _notes.AreRightAsync(here, there);
            await _notes.AddAsync(there);
            await _notes.AreRightAsync(here, there);
            await _notes.AreCachedAsync(here, there);
            await _notes.AreRightAsync(here, there);
        }
    }

    [Fact]
    public async Task Versions_that_are_evicted_make_no_old_result_valid()
    {
        await using var redis = await RedisServer.StartAsync(new() { Arguments = ["--maxmemory-policy", "allkeys-lru"] });
        var (here, there) = await TwoAsync(redis, local: 0);
        await fixture.Cluster.Primary.ExecuteAsync($"INSERT INTO \"Notes\" (\"Text\") SELECT '{_notes.Mark}' || i || repeat(md5(i::text), 200) FROM generate_series(1, 10) i");
        await _notes.AreCachedAsync(here, there);
        var used = (await redis.ExecuteAsync("INFO", "memory"))!.Split('\n').First(l => l.StartsWith("used_memory:", StringComparison.Ordinal))["used_memory:".Length..].Trim();
        await redis.ExecuteAsync("CONFIG", "SET", "maxmemory", (long.Parse(used, System.Globalization.CultureInfo.InvariantCulture) + 400_000).ToString(System.Globalization.CultureInfo.InvariantCulture));
        for (var i = 0; i < 40; i++)
        {
            await here.OutcomeAsync(c => c.Notes.Where(n => n.Text.StartsWith(_notes.Mark) && n.Id > -i).Cacheable().ToListAsync());
            if (i % 4 == 0)
            {
                await _notes.AddAsync(there);
            }

            await _notes.AreRightAsync(here, there);
        }

        var evicted = (await redis.ExecuteAsync("INFO", "stats"))!.Split('\n').First(l => l.StartsWith("evicted_keys:", StringComparison.Ordinal)).Trim();
        output.WriteLine(evicted);
        Assert.NotEqual("evicted_keys:0", evicted);
    }

    private static Action<QueryCacheOptionsBuilder> To(RedisServer redis, TimeSpan? wait = null, long local = 64 << 20) =>
        c => c.Redis(MarkedNotes.To(redis.Endpoint) with { MaxWait = wait ?? _wait }).LocalMemory(local);

    private static async Task RestartAsync(RedisServer redis)
    {
        await redis.KillAsync();
        await redis.StartAsync();
    }

    private static Task EntryIsStoredAsync(RedisServer redis) =>
        Eventually.ThatAsync(async () => (await redis.ExecuteAsync("KEYS", "efs:*:q:*"))?.Split('\n').Length >= 2, MarkedNotes.Patience, "the entries to be stored");

    private async Task<(CachedBlogs Here, CachedBlogs There)> TwoAsync(RedisServer redis, TimeSpan? wait = null, long local = 64 << 20) =>
        (await CachedBlogs.StartAsync(fixture.Cluster, To(redis, wait, local)), await CachedBlogs.StartAsync(fixture.Cluster, To(redis, wait, local)));

    private async Task TimedAsync(string what, Func<Task> action)
    {
        var start = Stopwatch.GetTimestamp();
        await action();
        var elapsed = Stopwatch.GetElapsedTime(start);
        output.WriteLine($"{what} {elapsed.TotalMilliseconds:F1} ms");
        Assert.InRange(elapsed, TimeSpan.Zero, (2 * _limit) + _margin);
    }
}
