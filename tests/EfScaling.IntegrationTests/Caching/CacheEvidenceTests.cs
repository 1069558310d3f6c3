using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using EfScaling.Caching;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using EventLog = EfScaling.IntegrationTests.Clusters.EventLog;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>What an application can see of the query cache: metrics, tags of activities, events; nothing of its data.</summary>
public sealed class CacheEvidenceTests(ClusterFixture fixture)
{
    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Fact]
    public async Task Memory_round_trips_silence_and_generations_are_measured_without_a_word_of_data()
    {
        await using var redis = await RedisServer.StartAsync();
        using var measured = new Measured();
        var process = await CachedBlogs.StartAsync(fixture.Cluster, c => c.Redis(MarkedNotes.To(redis.Endpoint)));
        await _notes.AddAsync(process);
        await _notes.AreCachedAsync(process);

        Assert.True(measured.Sum("efscaling.caching.store.roundtrips operation=read") > 0);
        Assert.True(measured.Sum("efscaling.caching.store.roundtrips operation=bump") > 0);
        Assert.True(measured.Observe("efscaling.caching.local.size") > 0);
        Assert.True(measured.Observe("efscaling.caching.store.silence") >= 0);

        await using (var context = process.Context())
        {
            await context.Database.InvalidateCacheAsync();
        }

        await _notes.AreCachedAsync(process);
        Assert.True(measured.Sum("efscaling.caching.generations reason=schema") > 0);

        await redis.KillAsync();
        await redis.StartAsync();
        await _notes.AreCachedAsync(process);
        await Eventually.ThatAsync(() => measured.Sum("efscaling.caching.generations reason=store") > 0, MarkedNotes.Patience, "the other store to be counted");
        Assert.DoesNotContain(measured.Names, n => n.Contains(_notes.Mark, StringComparison.Ordinal) || n.Contains("Notes", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_current_activity_tells_where_the_result_came_from_and_why()
    {
        using var source = new ActivitySource(_notes.Mark);
        var process = await CachedBlogs.StartAsync(fixture.Cluster);
        var remote = await CachedBlogs.StartAsync(fixture.Cluster, c => c.LocalMemory(0));
        using (Listen(ActivitySamplingResult.AllData))
        {
            Assert.Equal("miss Absent", await TagsAsync(process));
            Assert.Equal("l1 LocalHit", await TagsAsync(process));
            await Eventually.ThatAsync(async () => await TagsAsync(remote) == "l2 Hit", MarkedNotes.Patience, "a hit in the store");
            await using var context = process.Context();
            await using var transaction = await context.Database.BeginTransactionAsync();
            Assert.Equal("bypass InTransaction", await TagsAsync(process, context));

            // A query that the cache has no part in.
            using var activity = source.StartActivity("query")!;
            await process.Context().Notes.AnyAsync();
            Assert.Empty(activity.TagObjects);
        }

        using (Listen(ActivitySamplingResult.PropagationData))
        {
            Assert.Equal(" ", await TagsAsync(process));
        }

        Assert.Null(Activity.Current);
        Assert.Equal(CacheOutcome.LocalHit, (await _notes.CountAsync(process)).Cache.Outcome);

        ActivityListener Listen(ActivitySamplingResult sampling)
        {
            var listener = new ActivityListener { ShouldListenTo = s => s.Name == _notes.Mark, Sample = (ref ActivityCreationOptions<ActivityContext> _) => sampling };
            ActivitySource.AddActivityListener(listener);
            return listener;
        }

        async Task<string> TagsAsync(CachedBlogs of, BlogContext? context = null)
        {
            using var activity = source.StartActivity("query")!;
            await _notes.Query(context ?? of.Context()).CountAsync();
            return $"{activity.GetTagItem("db.efscaling.cache")} {activity.GetTagItem("db.efscaling.cache.reason")}";
        }
    }

    [Fact]
    public async Task Columns_that_no_kept_result_can_hold_are_reported_once_for_a_model()
    {
        var usual = await CachedBlogs.StartAsync(fixture.Cluster);
        Assert.Equal(0, usual.Events.Count(EfScalingEventId.ColumnsNotCacheable));

        var log = new EventLog();
        var options = new DbContextOptionsBuilder<MapContext>().UseNpgsql(fixture.Cluster.Primary.ConnectionString).UseLoggerFactory(log);
        options.UseQueryCache();
        for (var i = 0; i < 2; i++)
        {
            await using var context = new MapContext(((DbContextOptionsBuilder<MapContext>)options).Options);
            await context.Notes.Cacheable().CountAsync();
        }

        var report = Assert.Single(log.Events, e => e.Id == EfScalingEventId.ColumnsNotCacheable);
        Assert.Contains("Landmark.Spot (geometry)", report.Message, StringComparison.Ordinal);
    }

    private sealed class MapContext(DbContextOptions<MapContext> options) : DbContext(options)
    {
        public DbSet<Note> Notes => Set<Note>();

        protected override void OnModelCreating(ModelBuilder modelBuilder) =>
            modelBuilder.Entity<Landmark>().Property(l => l.Spot).Metadata.SetTypeMapping(new SpotMapping());
    }

    private sealed record Spot(int X, int Y);

    private sealed class Landmark
    {
        public int Id { get; set; }

        public required Spot Spot { get; set; }
    }

    private sealed class SpotMapping : RelationalTypeMapping
    {
        public SpotMapping()
            : base("geometry", typeof(Spot))
        {
        }

        private SpotMapping(RelationalTypeMappingParameters parameters)
            : base(parameters)
        {
        }

        protected override RelationalTypeMapping Clone(RelationalTypeMappingParameters parameters) => new SpotMapping(parameters);
    }

    /// <summary>What the instruments of the cache say, those of other tests of the process included.</summary>
    private sealed class Measured : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly ConcurrentDictionary<string, double> _sums = new();
        private readonly ConcurrentDictionary<string, double> _observed = new();

        public Measured()
        {
            _listener.InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name.StartsWith("efscaling.caching.", StringComparison.Ordinal))
                {
                    self.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Take(instrument, value, tags));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Take(instrument, value, tags));
            _listener.Start();
        }

        public IEnumerable<string> Names => _sums.Keys.Concat(_observed.Keys);

        public double Sum(string name) => _sums.GetValueOrDefault(name);

        public double? Observe(string name)
        {
            _listener.RecordObservableInstruments();
            return _observed.TryGetValue(name, out var value) ? value : null;
        }

        public void Dispose() => _listener.Dispose();

        private void Take(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var name = string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}").Prepend(instrument.Name));
            if (instrument.IsObservable)
            {
                _observed[name] = value;
            }
            else
            {
                _sums.AddOrUpdate(name, value, (_, sum) => sum + value);
            }
        }
    }
}
