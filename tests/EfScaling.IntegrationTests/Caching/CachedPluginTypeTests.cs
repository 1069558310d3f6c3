using System.Buffers;
using System.Buffers.Binary;
using EfScaling.Caching;
using EfScaling.Caching.Rows;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using NodaTime;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Values of a plugin's types are kept by codecs of the application, and without one nothing of them is.</summary>
public sealed class CachedPluginTypeTests(ClusterFixture fixture)
{
    private static readonly Visit[] _visits =
    [
        new() { At = Instant.FromUnixTimeTicks(17_000_000_000_123_450), Left = null, Day = new LocalDate(2024, 2, 29) },
        new() { At = Instant.MaxValue, Left = Instant.MinValue, Day = LocalDate.MaxIsoValue },
    ];

    [Fact]
    public async Task Are_the_same_plain_missed_and_hit_and_another_format_is_a_miss()
    {
        var connectionString = fixture.Cluster.Primary.GetConnectionString("cached_plugin_types");
        await using var redis = await RedisServer.StartAsync();
        await using var plain = new PluginContext(PluginContext.OptionsOf(connectionString).Options);
        await plain.Database.EnsureDeletedAsync();
        await plain.Database.EnsureCreatedAsync();
        plain.AddRange(_visits);
        await plain.SaveChangesAsync();
        var expected = Rendered(await plain.Visits.AsNoTracking().OrderBy(v => v.Id).ToListAsync());

        var none = Options(c => c.Redis(MarkedNotes.To(redis.Endpoint)));
        await UntilAsync(none, CacheOutcome.NotCacheable, expected);
        await using (var context = new PluginContext(none))
        {
            await context.Visits.Cacheable().ToListAsync();
            Assert.Contains("Instant", context.Database.LastRouting()!.Value.Cache!.Value.Detail, StringComparison.Ordinal);
        }

        await UntilAsync(Options(c => WithCodecs(c, "instant")), CacheOutcome.LocalHit, expected);
        await UntilAsync(Options(c => WithCodecs(c.Redis(MarkedNotes.To(redis.Endpoint)).LocalMemory(0), "instant")), CacheOutcome.Hit, expected);

        // Another process has it from there at once, unless it knows another format.
        Assert.Equal(CacheOutcome.Hit, await FirstAsync("instant"));
        Assert.Equal(CacheOutcome.Absent, await FirstAsync("instant 2"));

        async Task<CacheOutcome?> FirstAsync(string format)
        {
            var options = Options(c => WithCodecs(c.Redis(MarkedNotes.To(redis.Endpoint)).LocalMemory(0).MaxResult(rows: 1_000), format));
            await Eventually.ThatAsync(async () => await OutcomeAsync(options, null) is not CacheOutcome.Starting and not CacheOutcome.StoreUnavailable, MarkedNotes.Patience, "the cache to be in use");
            return await OutcomeAsync(options, expected);
        }

        DbContextOptions<PluginContext> Options(Action<QueryCacheOptionsBuilder> configure) =>
            (DbContextOptions<PluginContext>)PluginContext.OptionsOf(connectionString).UseQueryCache(configure).Options;
    }

    private static QueryCacheOptionsBuilder WithCodecs(QueryCacheOptionsBuilder cache, string format) =>
        cache.Codec(format, new InstantCodec()).Codec("local date", new LocalDateCodec());

    private static Task UntilAsync(DbContextOptions<PluginContext> options, CacheOutcome outcome, List<string> expected) =>
        Eventually.ThatAsync(async () => await OutcomeAsync(options, expected) == outcome, MarkedNotes.Patience, $"the outcome {outcome}");

    // Of the query itself, with what it gives; or of another one that only shows how the cache stands.
    private static async Task<CacheOutcome?> OutcomeAsync(DbContextOptions<PluginContext> options, List<string>? expected)
    {
        await using var context = new PluginContext(options);
        if (expected is null)
        {
            await context.Visits.Cacheable().CountAsync();
        }
        else
        {
            Assert.Equal(expected, Rendered(await context.Visits.OrderBy(v => v.Id).Cacheable().ToListAsync()));
        }

        return context.Database.LastRouting()!.Value.Cache?.Outcome;
    }

    private static List<string> Rendered(List<Visit> visits) => [.. visits.Select(v => $"{v.Id} {v.At} {v.At.ToUnixTimeTicks()} {v.Left} {v.Day}")];

    private sealed class InstantCodec : ICacheCodec<Instant>
    {
        public void Write(IBufferWriter<byte> writer, Instant value)
        {
            var bytes = writer.GetSpan(16);
            BinaryPrimitives.WriteInt64LittleEndian(bytes, (value - NodaConstants.UnixEpoch).Days);
            BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], (value - NodaConstants.UnixEpoch).NanosecondOfDay);
            writer.Advance(16);
        }

        public Instant Read(ReadOnlySpan<byte> bytes) => NodaConstants.UnixEpoch
            + Duration.FromDays((int)BinaryPrimitives.ReadInt64LittleEndian(bytes))
            + Duration.FromNanoseconds(BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]));
    }

    private sealed class LocalDateCodec : ICacheCodec<LocalDate>
    {
        public void Write(IBufferWriter<byte> writer, LocalDate value)
        {
            var bytes = writer.GetSpan(12);
            BinaryPrimitives.WriteInt32LittleEndian(bytes, value.Year);
            BinaryPrimitives.WriteInt32LittleEndian(bytes[4..], value.Month);
            BinaryPrimitives.WriteInt32LittleEndian(bytes[8..], value.Day);
            writer.Advance(12);
        }

        public LocalDate Read(ReadOnlySpan<byte> bytes) => new(
            BinaryPrimitives.ReadInt32LittleEndian(bytes),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]));
    }
}
