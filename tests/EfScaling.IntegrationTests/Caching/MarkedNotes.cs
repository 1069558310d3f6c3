using EfScaling.Caching;
using EfScaling.Caching.Redis;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>The notes of one test, which no other test touches, and what processes see of them.</summary>
internal sealed class MarkedNotes(PostgresCluster cluster)
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>A server that is given much time, so that a busy machine is no outage, and is soon asked again after one.</summary>
    public static RedisOptions To(string redis) => RedisOptions.Parse(redis) with
    {
        MaxWait = TimeSpan.FromMilliseconds(500), OpenTime = TimeSpan.FromMilliseconds(200), MaxOpenTime = TimeSpan.FromMilliseconds(400),
    };

    public string Mark { get; } = Guid.NewGuid().ToString("N");

    /// <summary>Adds one, as a process of the application.</summary>
    public async Task AddAsync(CachedBlogs process)
    {
        await using var context = process.Context();
        context.Add(new Note { Text = Mark });
        await context.SaveChangesAsync();
    }

    /// <summary>Counts them through the cache.</summary>
    public async Task<(int Count, CacheDecision Cache)> CountAsync(CachedBlogs process)
    {
        await using var context = process.Context();
        var count = await Query(context).CountAsync();
        return (count, context.Database.LastRouting()!.Value.Cache!.Value);
    }

    /// <summary>The query that is cached.</summary>
    public IQueryable<Note> Query(BlogContext context) => context.Notes.Where(n => n.Text == Mark).Cacheable();

    /// <summary>Counts them as the database has them.</summary>
    public async Task<long> TruthAsync() => await cluster.Primary.ScalarAsync<long>($"SELECT count(*) FROM \"Notes\" WHERE \"Text\" = '{Mark}'");

    /// <summary>Asserts that each process sees what the database has.</summary>
    public async Task AreRightAsync(params CachedBlogs[] processes)
    {
        foreach (var process in processes)
        {
            // The truth first: nobody else writes them, and what is written meanwhile by the test must be seen as well.
            var truth = await TruthAsync();
            var (count, cache) = await CountAsync(process);
            Assert.True(truth == count, $"process {Array.IndexOf(processes, process)} saw {count} instead of {truth}: {cache}");
        }
    }

    /// <summary>Waits until each process is answered by the cache.</summary>
    public async Task AreCachedAsync(params CachedBlogs[] processes)
    {
        foreach (var process in processes)
        {
            CacheDecision last = default;
            try
            {
                await Eventually.ThatAsync(async () => (last = (await CountAsync(process)).Cache).IsHit, Patience, "the notes to be cached");
            }
            catch (TimeoutException exception)
            {
                throw new TimeoutException($"{exception.Message} {last}\n{string.Join('\n', process.Events.Events.TakeLast(20))}", exception);
            }
        }
    }

    /// <summary>Waits until a process's queries have the outcome.</summary>
    public Task HaveOutcomeAsync(CachedBlogs process, CacheOutcome outcome) =>
        Eventually.ThatAsync(async () => (await CountAsync(process)).Cache.Outcome == outcome, Patience, $"the outcome {outcome}");
}
