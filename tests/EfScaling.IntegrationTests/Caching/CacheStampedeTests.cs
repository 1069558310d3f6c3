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
    public async Task Of_many_different_results_that_are_missing_a_few_are_loaded_at_a_time()
    {
        var crowd = new CommandCrowd("count(*)");
        var process = await CachedBlogs.StartAsync(fixture.Cluster, c => c.MaxConcurrentLoads(2), o => o.AddInterceptors(crowd));
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(() => process.OutcomeAsync(c => Different(c, i).CountAsync()))));

        // On a busy machine some may have waited too long for their turn.
        var without = outcomes.Count(o => o == CacheOutcome.TooManyLoads);
        Assert.InRange(crowd.Most, 1, 2 + without);
        Assert.All(outcomes, o => Assert.True(o is CacheOutcome.Absent or CacheOutcome.TooManyLoads, $"{o}"));
        Assert.True(without < 40);
        for (var i = 0; i < 40; i++)
        {
            var again = await process.OutcomeAsync(c => Different(c, i).CountAsync());
            Assert.True(again == (outcomes[i] == CacheOutcome.Absent ? CacheOutcome.LocalHit : CacheOutcome.Absent), $"{i}: {outcomes[i]}, {again}");
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_waits_too_long_for_its_turn_reads_all_the_same_and_keeps_nothing(bool isAsync)
    {
        var gate = new CommandGate("count(*)");
        using var refused = new RefusedFills(CacheOutcome.TooManyLoads);
        var process = await CachedBlogs.StartAsync(fixture.Cluster, c => c.MaxConcurrentLoads(1), o => o.AddInterceptors(gate));
        await _notes.AddAsync(process);
        gate.Close();
        var loading = _notes.CountAsync(process);
        await gate.Arrived.WaitAsync(MarkedNotes.Patience);

        for (var i = 0; i < 2; i++)
        {
            await using var context = process.Context();
            Assert.Equal(1, isAsync ? await Different(context, -1).CountAsync() : Different(context, -1).Count());
            Assert.Equal(CacheOutcome.TooManyLoads, context.Database.LastRouting()!.Value.Cache!.Value.Outcome);
        }

        Assert.True(refused.Count >= 2);
        Assert.False(loading.IsCompleted);
        gate.Open();
        Assert.Equal((1, CacheOutcome.Absent), ((await loading).Count, (await loading).Cache.Outcome));
        Assert.Equal(CacheOutcome.Absent, await process.OutcomeAsync(c => Different(c, -1).CountAsync()));
        Assert.Equal(CacheOutcome.LocalHit, await process.OutcomeAsync(c => Different(c, -1).CountAsync()));
    }

    [Fact]
    public async Task Who_waits_for_a_load_that_has_no_turn_gets_its_rows()
    {
        var gate = new CommandGate("count(*)");
        var process = await CachedBlogs.StartAsync(fixture.Cluster, c => c.MaxConcurrentLoads(1), o => o.AddInterceptors(gate));
        gate.Close();
        var loading = _notes.CountAsync(process);
        await gate.Arrived.WaitAsync(MarkedNotes.Patience);
        process.Log.Clear();

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => process.OutcomeAsync(c => Different(c, -1).CountAsync())));

        Assert.Single(process.Log.Sql);
        Assert.Single(outcomes, CacheOutcome.TooManyLoads);
        Assert.Equal(9, outcomes.Count(o => o == CacheOutcome.Joined));
        gate.Open();
        await loading;
    }

    [Theory]
    [InlineData(TurnEnd.AtTheEnd)]
    [InlineData(TurnEnd.LeftEarly)]
    [InlineData(TurnEnd.Failed)]
    [InlineData(TurnEnd.FailedBetweenRows)]
    [InlineData(TurnEnd.Cancelled)]
    [InlineData(TurnEnd.TooLarge)]
    [InlineData(TurnEnd.ContextDisposed)]
    [InlineData(TurnEnd.Buffered)]
    public async Task A_turn_is_given_back_however_the_load_ends(TurnEnd end)
    {
        var gate = new CommandGate("cancelled");
        var process = await CachedBlogs.StartAsync(
            fixture.Cluster,
            c => c.MaxConcurrentLoads(1).MaxResult(rows: 300),
            o =>
            {
                o.AddInterceptors(gate);
                if (end == TurnEnd.Buffered)
                {
                    o.UseNpgsql(n => n.EnableRetryOnFailure());
                }
            });
        await using (var writer = process.Context())
        {
            writer.AddRange(Enumerable.Range(0, 400).Select(_ => new Note { Text = _notes.Mark }));
            await writer.SaveChangesAsync();
        }

        await EndAsync();

        Assert.Equal(CacheOutcome.Absent, await process.OutcomeAsync(c => Different(c, -1).CountAsync()));

        async Task EndAsync()
        {
            var context = process.Context();
            var small = _notes.Query(context).OrderBy(n => n.Id).Take(200);
            switch (end)
            {
                case TurnEnd.AtTheEnd:
                case TurnEnd.Buffered:
                    Assert.Equal(200, (await small.ToListAsync()).Count);
                    break;
                case TurnEnd.LeftEarly:
                    await foreach (var _ in small.AsAsyncEnumerable())
                    {
                        break;
                    }

                    break;
                case TurnEnd.Failed:
                    await Assert.ThrowsAnyAsync<PostgresException>(() => small.Select(n => 1 / (n.Id - n.Id)).SumAsync());
                    break;
                case TurnEnd.FailedBetweenRows:
                    await Assert.ThrowsAnyAsync<Exception>(() => small.ForEachAsync(_ => throw new InvalidOperationException("the application")));
                    break;
                case TurnEnd.Cancelled:
                    gate.Close();
                    using (var cancellation = new CancellationTokenSource())
                    {
                        var reading = small.TagWith("cancelled").CountAsync(cancellation.Token);
                        await gate.Arrived.WaitAsync(MarkedNotes.Patience);
                        await cancellation.CancelAsync();
                        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
                    }

                    break;
                case TurnEnd.TooLarge:
                    Assert.Equal(400, (await _notes.Query(context).ToListAsync()).Count);
                    break;
                case TurnEnd.ContextDisposed:
                    var rows = small.AsAsyncEnumerable().GetAsyncEnumerator();
                    Assert.True(await rows.MoveNextAsync());
                    break;
            }

            if (end == TurnEnd.ContextDisposed)
            {
                await context.DisposeAsync();
            }
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

    // Queries that have nothing but their SQL in common.
    private IQueryable<Note> Different(BlogContext context, int number) => context.Notes.Where(n => n.Text == _notes.Mark && n.Id != number).Cacheable();

    // Hundreds of requests at once take their time on a busy machine, which is no outage.
    private static QueryCacheOptionsBuilder To(QueryCacheOptionsBuilder cache, RedisServer redis) => cache.Redis(MarkedNotes.To(redis.Endpoint) with { MaxWait = MarkedNotes.Patience });
}
