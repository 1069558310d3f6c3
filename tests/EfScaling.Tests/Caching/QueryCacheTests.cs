using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Tests.AspNetCore;
using EfScaling.Tests.Caching.Rows;
using Microsoft.Extensions.Logging.Abstractions;

namespace EfScaling.Tests.Caching;

public sealed class QueryCacheTests
{
    private const string Prefix = "efs:";

    private static readonly TableName _notes = new("public", "notes");

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_clock_that_is_hours_off_makes_no_result_valid_and_none_old(int hours)
    {
        var store = new MemoryCacheStore(clock: new ManualClock());
        await using var right = Cache(store, TimeSpan.Zero);
        await using var wrong = Cache(store, TimeSpan.FromHours(hours));
        var schema = store.Read(null, [CacheState.SchemaKeyOf(Prefix)]);
        var catalog = new TableCatalog([new CatalogRelation(_notes, RelationKind.Table)], [], ["public"]);
        var state = new CacheState(ScriptedSource.Cluster, Prefix, catalog, schema.Versions[0], schema.Incarnation);
        var query = new CachedQuery(CacheHints.None, Facts(), "SELECT 1");
        foreach (var (writer, reader) in new[] { (right, wrong), (wrong, right) })
        {
            var request = new CacheRequest(query, writer.DependenciesOf(query, state), Key: 7, 10.Seconds());
            writer.Keep(request, Judge(writer, store, request).Stamp, Moment.Never, Recorded.Of(request.Schema, [1]), isLeased: true);

            Assert.Equal(CacheOutcome.Hit, Judge(reader, store, request).Outcome);
            store.Bump([state.KeyOf(_notes)], null);
            Assert.Equal(CacheOutcome.Stale, Judge(reader, store, request).Outcome);
            Assert.Null(reader.FindLocal(request, Moment.Now(reader.Clock), Moment.Never));
        }
    }

    [Fact]
    public async Task An_old_result_is_found_for_a_while_after_it_was_last_known_to_be_right_and_in_no_other_life_of_the_database()
    {
        var clock = new ManualClock();
        var store = new MemoryCacheStore(clock: clock);
        var source = new ScriptedSource(_ => throw new NotSupportedException()) { ManualClock = clock };
        await using var cache = Cache(store, source);
        var schema = store.Read(null, [CacheState.SchemaKeyOf(Prefix)]);
        var catalog = new TableCatalog([new CatalogRelation(_notes, RelationKind.Table)], [], ["public"]);
        var state = new CacheState(ScriptedSource.Cluster, Prefix, catalog, schema.Versions[0], schema.Incarnation);
        var query = new CachedQuery(CacheHints.FromText(CacheHints.StaleTag(10.Seconds())), Facts(), "SELECT 1");
        var request = new CacheRequest(query, cache.DependenciesOf(query, state), Key: 7, 1_000.Seconds());
        var verdict = Judge(cache, store, request);
        cache.Keep(request, verdict.Stamp, verdict.AskedAt, Recorded.Of(request.Schema, [1]), isLeased: true);

        Assert.NotNull(cache.FindOld(request, clock.Advance(10.Seconds()), 10.Seconds()));
        Assert.Null(cache.FindOld(request, clock.Advance(1.Seconds()), 10.Seconds()));

        // A hit proves it anew, and a write does not take that back.
        var hitAt = clock.Now;
        Assert.NotNull(cache.FindLocal(request, hitAt, Moment.Never));
        clock.Advance(4.Seconds());
        store.Bump([state.KeyOf(_notes)], null);
        Assert.Equal(CacheOutcome.Stale, Judge(cache, store, request).Outcome);
        Assert.Null(cache.FindLocal(request, clock.Now, Moment.Never));
        Assert.Equal(hitAt, cache.FindOld(request, clock.Now, 5.Seconds())?.ProvenAt);
        Assert.Null(cache.FindOld(request, clock.Now, 3.Seconds()));

        var restarted = state with { Incarnation = state.Incarnation + 1 };
        Assert.Null(cache.FindOld(request with { Dependencies = cache.DependenciesOf(query, restarted) }, clock.Now, 5.Seconds()));
        source.Identity = ScriptedSource.Cluster with { Timeline = ScriptedSource.Cluster.Timeline + 1 };
        Assert.Null(cache.FindOld(request, clock.Now, 5.Seconds()));
    }

    private static CacheVerdict Judge(QueryCache cache, MemoryCacheStore store, CacheRequest request)
    {
        var mark = cache.Versions.Mark(Moment.Now(cache.Clock));
        return cache.Judge(request, store.Read(request.State.KeyOfResult(request.Key), request.Versions), mark);
    }

    private static QueryCache Cache(MemoryCacheStore store, TimeSpan wrongBy) =>
        Cache(store, new ScriptedSource(_ => throw new NotSupportedException()) { ManualClock = new ManualClock { WrongBy = wrongBy } });

    private static QueryCache Cache(MemoryCacheStore store, ScriptedSource source) =>
        new(new QueryCacheOptions { Store = CacheStoreSource.Of(store) }, store, source, database: null!, scope: string.Empty, poolSize: 10, NullLogger.Instance);

    private static QueryFacts Facts() => new()
    {
        Tables = [_notes],
        Columns = [new("Id", typeof(int), "integer")],
        Obstacle = null,
        AreColumnsFoundByName = false,
        MayWriteUnseen = false,
        Write = null,
    };
}
