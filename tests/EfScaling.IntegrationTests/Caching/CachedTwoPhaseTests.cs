using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A transaction that SQL of the application ends, in one phase or in two: results are right whatever EF believes of it.</summary>
public sealed class CachedTwoPhaseTests(ClusterFixture fixture)
{
    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_prepared_is_seen_when_it_is_committed_and_makes_nothing_old_before(bool saysTables)
    {
        await using var redis = await RedisServer.StartAsync();
        var (here, there) = await TwoAsync(redis);
        await _notes.AreCachedAsync(here, there);
        var before = await VersionsAsync(redis);
        await PrepareNoteAsync(here);

        Assert.Equal(before, await VersionsAsync(redis));
        foreach (var process in new[] { here, there })
        {
            var (count, cache) = await _notes.CountAsync(process);
            Assert.Equal((0, true), (count, cache.IsHit));
        }

        await using (var context = here.Context())
        {
            using var scope = saysTables ? context.Database.UseWrittenTables<Note>() : null;
            await RunAsync(context, "COMMIT PREPARED");
        }

        await _notes.AreRightAsync(here, there);
        Assert.Equal(1, await _notes.TruthAsync());
        await _notes.AreCachedAsync(here, there);
        await _notes.AreRightAsync(here, there);

        // Whoever says what is committed leaves the other results as they are.
        Assert.Equal(saysTables, before.Other == (await VersionsAsync(redis)).Other);
    }

    [Fact]
    public async Task What_is_prepared_and_rolled_back_makes_nothing_old()
    {
        await using var redis = await RedisServer.StartAsync();
        var (here, there) = await TwoAsync(redis);
        await _notes.AreCachedAsync(here, there);
        var before = await VersionsAsync(redis);
        await PrepareNoteAsync(here);
        await using (var context = there.Context())
        {
            await RunAsync(context, "ROLLBACK PREPARED");
        }

        Assert.Equal(before, await VersionsAsync(redis));
        await _notes.AreRightAsync(here, there);
        Assert.Equal(0, await _notes.TruthAsync());
    }

    [Fact]
    public async Task What_SQL_of_the_application_commits_is_seen_though_EF_rolls_back()
    {
        await using var redis = await RedisServer.StartAsync();
        var (here, there) = await TwoAsync(redis);
        await _notes.AreCachedAsync(here, there);
        await using (var context = here.Context())
        {
            await using var transaction = await context.Database.BeginTransactionAsync(TestContext.Current.CancellationToken);
            context.Add(new Note { Text = _notes.Mark });
            await context.SaveChangesAsync(TestContext.Current.CancellationToken);
            await context.Database.ExecuteSqlRawAsync("COMMIT", TestContext.Current.CancellationToken);
        }

        Assert.Equal(1, await _notes.TruthAsync());
        await _notes.AreRightAsync(here, there);
        await _notes.AreCachedAsync(here, there);
        await _notes.AreRightAsync(here, there);
    }

    // A name of a transaction cannot be a parameter.
    private async Task RunAsync(BlogContext context, string step)
    {
        var sql = $"{step} '{_notes.Mark}'";
        await context.Database.ExecuteSqlRawAsync(sql);
    }

    private async Task PrepareNoteAsync(CachedBlogs process)
    {
        await using var context = process.Context();
        await using var transaction = await context.Database.BeginTransactionAsync();
        context.Add(new Note { Text = _notes.Mark });
        await context.SaveChangesAsync();
        await RunAsync(context, "PREPARE TRANSACTION");
    }

    private static async Task<(string? Notes, string? Other)> VersionsAsync(RedisServer redis) =>
        (await ValueAsync(redis, "efs:*:v:public.Notes"), await ValueAsync(redis, "efs:*:w"));

    private static async Task<string?> ValueAsync(RedisServer redis, string pattern) =>
        await redis.ExecuteAsync("GET", Assert.Single((await redis.ExecuteAsync("KEYS", pattern))!.Split('\n')));

    private async Task<(CachedBlogs Here, CachedBlogs There)> TwoAsync(RedisServer redis) =>
        (await CachedBlogs.StartAsync(fixture.Cluster, c => c.Redis(MarkedNotes.To(redis.Endpoint))), await CachedBlogs.StartAsync(fixture.Cluster, c => c.Redis(MarkedNotes.To(redis.Endpoint))));
}
