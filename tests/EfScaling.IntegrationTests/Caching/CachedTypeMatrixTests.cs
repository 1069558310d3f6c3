using System.Text.Json;
using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using EfScaling.Tests.Caching.Rows;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Of every type that the provider maps, a query gives the same plain, when it fills the cache, and from the cache.</summary>
public sealed class CachedTypeMatrixTests(ClusterFixture fixture)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Every_column_is_the_same_plain_missed_and_hit(bool isAsync)
    {
        var connectionString = fixture.Cluster.Primary.GetConnectionString("cached_type_matrix");
        await using var redis = await RedisServer.StartAsync();
        await TypeMatrixContext.CreateAsync(connectionString);
        await using var plain = new TypeMatrixContext(TypeMatrixContext.Options(connectionString).Options);
        var (expected, none) = await ReadAsync(plain, isAsync);
        Assert.Null(none);
        Assert.True(expected.Count > 200);
        foreach (var configure in new Action<QueryCacheOptionsBuilder>[] { _ => { }, To(redis, 64 << 20), To(redis, 0) })
        {
            var options = TypeMatrixContext.Options(connectionString).UseQueryCache(configure).Options;
            var outcomes = new HashSet<CacheOutcome?>();
            await Eventually.ThatAsync(
                async () =>
                {
                    await using var context = new TypeMatrixContext((DbContextOptions<TypeMatrixContext>)options);
                    var (values, outcome) = await ReadAsync(context, isAsync);
                    Assert.Equal(expected, values);
                    outcomes.Add(outcome);
                    return outcome is CacheOutcome.Hit or CacheOutcome.LocalHit;
                },
                MarkedNotes.Patience,
                "a hit");
            Assert.DoesNotContain(CacheOutcome.NotCacheable, outcomes);
        }
    }

    private static Action<QueryCacheOptionsBuilder> To(RedisServer redis, long local) =>
        c => c.Redis(MarkedNotes.To(redis.Endpoint)).LocalMemory(local);

    private static async Task<(List<string> Values, CacheOutcome? Outcome)> ReadAsync(TypeMatrixContext context, bool isAsync)
    {
        var query = context.Rows.OrderBy(r => r.Id).Cacheable();
        var rows = isAsync ? await query.ToListAsync() : query.ToList();
        List<string> values =
        [
            .. from row in rows
               let entry = context.Entry(row)
               from property in entry.Metadata.GetProperties()
               select $"{row.Id} {property.Name} = {RenderedValue.Of(entry.Property(property.Name).CurrentValue)}",
            .. rows.Select(r => JsonSerializer.Serialize(r.Details)),
        ];
        return (values, context.GetService<IDbContextOptions>().FindExtension<Infrastructure.EfScalingOptionsExtension>() is null ? null : context.Database.LastRouting()?.Cache?.Outcome);
    }
}
