using EfScaling.Caching;
using EfScaling.Testing;
using EfScaling.Testing.History;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A table that is created while the cache is in use already.</summary>
public sealed class CachedNewTableTests
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_table_that_was_missing_when_the_cache_learned_the_schema_is_cached_once_it_exists()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0 });
        await using var redis = await RedisServer.StartAsync();
        var options = new DbContextOptionsBuilder<HistoryContext>()
            .UseNpgsql(cluster.Primary.ConnectionString)
            .UseQueryCache(c => c.Redis(redis.Endpoint).Prefix("newtable"))
            .Options;
        await Eventually.ThatAsync(async () => await OutcomeAsync(options) == CacheOutcome.NotCacheable, _deadline, "the cache misses the table");

        await using (var context = new HistoryContext(options))
        {
            await context.Database.ExecuteSqlRawAsync("""CREATE TABLE "HistoryBoard" ("Id" int PRIMARY KEY)""", TestContext.Current.CancellationToken);
        }

        await Eventually.ThatAsync(async () => await OutcomeAsync(options) is CacheOutcome.Hit or CacheOutcome.LocalHit, _deadline, "the cache knows the table");
    }

    private static async Task<CacheOutcome?> OutcomeAsync(DbContextOptions options)
    {
        await using var context = new HistoryContext(options);
        try
        {
            await context.Set<HistoryBoard>().Cacheable().CountAsync();
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            // Not yet.
        }

        return context.Database.LastRouting()?.Cache?.Outcome;
    }
}
