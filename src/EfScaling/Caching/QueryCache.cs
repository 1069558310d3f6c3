using System.Collections.Concurrent;
using System.Data.Common;
using EfScaling.Caching.Rows;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.Extensions.Logging;

namespace EfScaling.Caching;

/// <summary>The results of queries over one database; all contexts with equal settings share one.</summary>
/// <remarks>
/// A result is used only while every version it was read under is what it was, and those versions are read before the query is. A write bumps the versions
/// of its tables after its commit is acknowledged and before its caller learns of it. So whoever reads after a write was acknowledged finds another version,
/// whichever node, process or order the result was read and stored in. Thread-safe.
/// </remarks>
internal sealed class QueryCache : IAsyncDisposable
{
    /// <summary>How long a process may take to load an expensive result before another one may try.</summary>
    private static readonly TimeSpan LeaseTime = TimeSpan.FromSeconds(3);

    /// <summary>How long a process waits for another one's load of an expensive result at most: the right of one that has died is over sooner.</summary>
    public static readonly TimeSpan PatienceWithOthers = LeaseTime + Flights.Patience;

    // The part of its time that a result in memory has used up when a hit starts it anew.
    private const int ProlongsAfter = 4;

    // So that an application that makes up SQL does not fill the log and the memory.
    private const int MostReports = 1_000;

    private readonly ConcurrentDictionary<UInt128, bool> _reported = new();
    private readonly FillBalances _balances;
    private readonly IPositionSource _source;
    private readonly CacheStarter _starter;
    private readonly RowCodecs _codecs;
    private readonly ILogger _logger;
    private int _reports;

    /// <param name="options">The settings.</param>
    /// <param name="store">Where results and versions are kept; the cache disposes it unless it is the application's.</param>
    /// <param name="source">Tells which database it is, and the time.</param>
    /// <param name="database">Leads to the database's catalog.</param>
    /// <param name="scope">What of the connection's settings decides what a query returns.</param>
    /// <param name="poolSize">How many connections there are to the database.</param>
    /// <param name="logger">Receives what happens to the cache.</param>
    public QueryCache(QueryCacheOptions options, ICacheStore store, IPositionSource source, DbDataSource database, string scope, int poolSize, ILogger logger)
    {
        (Options, Store, Scope, _source, _logger) = (options, store, scope, source, logger);
        _codecs = options.Codecs.Aggregate(RowCodecs.Provided, (codecs, c) => c.AddTo(codecs));
        Local = new LocalResults(options.LocalBytes, source.Clock);
        TooLarge = new RefusedResults(source.Clock);
        _balances = new FillBalances(source.Clock);
        Flights = new Flights(source.Clock);
        Turns = new LoadTurns(options.LoadsOf(poolSize), LoadTurns.Patience, source.Clock);
        Publisher = new CachePublisher(store, Versions, source.Clock, logger);
        _starter = new CacheStarter(store, source, database, options.Prefix, Publisher, logger);
        store.Subscribe(Versions.Forget);
    }

    /// <summary>Gets the settings.</summary>
    public QueryCacheOptions Options { get; }

    /// <summary>Gets where results and versions are kept.</summary>
    public ICacheStore Store { get; }

    /// <summary>Gets what of the connection's settings decides what a query returns.</summary>
    public string Scope { get; }

    /// <summary>Gets the monotonic clock.</summary>
    public TimeProvider Clock => _source.Clock;

    /// <summary>Gets the results that the process keeps.</summary>
    public LocalResults Local { get; }

    /// <summary>Gets the results that were too large to be kept, and had to be read twice to find that out.</summary>
    public RefusedResults TooLarge { get; }

    /// <summary>Gets the versions that the process knows.</summary>
    public LocalVersions Versions { get; } = new();

    /// <summary>Gets the loads under way.</summary>
    public Flights Flights { get; }

    /// <summary>Gets the bound on loads at a time.</summary>
    public LoadTurns Turns { get; }

    /// <summary>Gets what tells the store of writes.</summary>
    public CachePublisher Publisher { get; }

    /// <summary>Gets what is known of the database; <see langword="null"/> until it is.</summary>
    public CacheState? State => _starter.State;

    /// <summary>Begins to learn what must be known of the database.</summary>
    /// <param name="known">What has turned out to be out of date; <see langword="null"/> if nothing is known.</param>
    /// <returns>Completes when the attempt has ended, whatever its outcome. Never fails.</returns>
    public Task BeginStart(CacheState? known) => _starter.Begin(known);

    /// <inheritdoc cref="CacheStarter.BeginForWrite" />
    public Task BeginStartForWrite() => _starter.BeginForWrite();

    /// <inheritdoc cref="CacheStarter.Recheck" />
    public void Recheck(CacheState known) => _starter.Recheck(known);

    /// <summary>Returns what a query's result depends on.</summary>
    public CachedQuery.Dependencies DependenciesOf(CachedQuery query, CacheState state) => query.DependenciesIn(_starter, state, _codecs, _balances);

    /// <summary>Reports, once for each model, which of its columns no result can hold that is kept.</summary>
    public void ReportColumns(IModel model)
    {
        // The caches of several shards are about one model.
        if (ModelColumns.IsFirstLook(model) && ModelColumns.FindUncacheable(model, _codecs) is { Count: > 0 } columns)
        {
            _logger.ColumnsNotCacheable(string.Join(", ", columns));
        }
    }

    /// <summary>Reports, once for each query, that a result cannot be kept although its query asks for it.</summary>
    public void ReportNotCacheable(CachedQuery query, in CacheDecision decision)
    {
        // By its text: of a query with SQL of the application, each execution is another object.
        if (decision.Outcome == CacheOutcome.NotCacheable
            && query.Hints.Mode == CacheMode.Cacheable
            && Volatile.Read(ref _reports) < MostReports
            && _reported.TryAdd(query.Text, true))
        {
            Interlocked.Increment(ref _reports);
            _logger.QueryNotCacheable(decision.Detail!);
        }
    }

    /// <summary>Answers from the memory of this process, if every version is known and the result is of them.</summary>
    /// <param name="request">The query.</param>
    /// <param name="now">The present moment.</param>
    /// <param name="askedSince">
    /// When the store must have been asked for the versions at the earliest, for a session that brings along what it has written elsewhere: the report of such a
    /// write may still be under way. <see cref="Moment.Never"/> for all others.
    /// </param>
    public LocalResult? FindLocal(CacheRequest request, Moment now, Moment askedSince)
    {
        if (!Store.IsReporting
            || Local.Find(request.Key, now) is not { } result
            || !Versions.TryStamp(request.Versions, TimelineOf(request), askedSince, out var stamp)
            || stamp != result.Stamp)
        {
            return null;
        }

        if (request.Query.Hints.StaleWhileRefilling is not null || AgeWhenDown(request) is not null)
        {
            result.Prove(now);
        }

        // The store does not hear of hits in memory unless it is told; now and then will do.
        if (request.Query.Hints.IsSliding && result.TryProlong(now.Plus(request.TimeToLive, Clock), request.TimeToLive / ProlongsAfter, Clock))
        {
            Prolong(request);
        }

        return result;
    }

    /// <summary>Answers from the memory of this process with a result that a write may have made old.</summary>
    /// <param name="request">The query.</param>
    /// <param name="now">The present moment.</param>
    /// <param name="maxAge">How long ago it must have been known to be right.</param>
    /// <remarks>It is what the caller would have been given then. Whether the caller may be given it now depends on what it has done and seen since.</remarks>
    public LocalResult? FindOld(CacheRequest request, Moment now, TimeSpan maxAge) =>
        Local.Find(request.Key, now) is { } result && result.IsOf(request.State, TimelineOf(request)) && result.ProvenAt.Until(now, Clock) <= maxAge ? result : null;

    /// <summary>Returns how long ago a result must have been known to be right at least to be used while no server can be asked; <see langword="null"/> if none is.</summary>
    public TimeSpan? AgeWhenDown(CacheRequest request) => request.Query.Hints.WhenDown ?? Options.WhenDown;

    /// <summary>Judges what the store answered.</summary>
    /// <param name="request">The query.</param>
    /// <param name="reading">The answer.</param>
    /// <param name="mark">The mark of <see cref="Versions"/> from before the question.</param>
    public CacheVerdict Judge(CacheRequest request, in CacheReading reading, in VersionsMark mark)
    {
        if (reading.Failure is { } failure)
        {
            return new CacheVerdict(CacheOutcome.StoreUnavailable, failure);
        }

        var now = Moment.Now(Clock);
        var since = Versions.Learn(request.Versions, reading, mark, now);
        if (!request.State.IsOf(reading))
        {
            _ = BeginStart(request.State);
            return new CacheVerdict(CacheOutcome.Starting);
        }

        var timeline = TimelineOf(request);
        var stamp = CacheStamp.Of(reading, timeline);
        if (reading.Entry is not { } payload)
        {
            return new CacheVerdict(CacheOutcome.Absent) { Stamp = stamp, Since = since, AskedAt = mark.TakenAt };
        }

        QueryCacheMeter.RecordEntry(payload.Length);
        if (!RowFormat.TryReadHeader(payload.Span, out var header))
        {
            return new CacheVerdict(CacheOutcome.Unreadable) { Stamp = stamp, Since = since, AskedAt = mark.TakenAt };
        }

        if (header.Stamp != stamp)
        {
            return new CacheVerdict(CacheOutcome.Stale) { Stamp = stamp, Since = since, AskedAt = mark.TakenAt };
        }

        if (!RowFormat.TryDecode(payload, request.Schema, out header, out var rows))
        {
            return new CacheVerdict(CacheOutcome.Unreadable) { Stamp = stamp, Since = since, AskedAt = mark.TakenAt };
        }

        var timeLeft = request.Query.Hints.IsSliding ? request.TimeToLive : TimeLeft(header);
        Local.Keep(request.Key, rows!, stamp, now, timeLeft, new ResultProof(request.State, timeline, mark.TakenAt));
        return new CacheVerdict(CacheOutcome.Hit) { Stamp = stamp, Since = since, Rows = rows, ShownBy = now };
    }

    /// <summary>Returns whether a result that is read now is worth keeping.</summary>
    /// <param name="request">The query.</param>
    /// <param name="stamp">The versions that the store answered with.</param>
    public bool IsWorthKeeping(CacheRequest request, UInt128 stamp) =>
        // To load an expensive result twice at once is worse than to keep it in vain.
        Options.KeepsDespiteWrites || request.Query.Hints.IsExpensive || _balances.IsWorthKeeping(request.Balance, request.Key, stamp);

    /// <summary>Takes the right to load an expensive result, or waits a while for the process that has it.</summary>
    /// <returns>The result that another process has loaded under the same versions; else whether the caller has the right. It loads in either case.</returns>
    public async ValueTask<(RowSet? Rows, bool IsLeased)> AwaitOtherProcessAsync(CacheRequest request, UInt128 stamp, CancellationToken cancellationToken)
    {
        var lease = request.State.KeyOfLease(request.Key);
        var began = Clock.GetTimestamp();
        for (var pause = TimeSpan.FromMilliseconds(5); Clock.GetElapsedTime(began) < PatienceWithOthers; pause *= 1.5)
        {
            if (await Store.TryLeaseAsync(lease, LeaseTime, cancellationToken).ConfigureAwait(false))
            {
                // Whoever had it before may have just finished. Not to be cancelled: the right would be lost until its time is over.
                return (await ReadLoadedAsync(request, stamp, CancellationToken.None).ConfigureAwait(false), true);
            }

            await Task.Delay(pause, Clock, cancellationToken).ConfigureAwait(false);
            if (await ReadLoadedAsync(request, stamp, cancellationToken).ConfigureAwait(false) is { } rows)
            {
                return (rows, false);
            }
        }

        return (null, false);
    }

    /// <summary>Keeps a result that was read after the versions of its stamp.</summary>
    /// <param name="request">The query.</param>
    /// <param name="stamp">The versions.</param>
    /// <param name="askedAt">A moment before they were read.</param>
    /// <param name="rows">The result.</param>
    /// <param name="isLeased">Whether the caller holds the right to load it, which ends when it is kept.</param>
    /// <remarks>Writing to the store goes on after the call; its failure is nobody's. A result whose versions have changed meanwhile is not kept.</remarks>
    public void Keep(CacheRequest request, UInt128 stamp, Moment askedAt, RowSet rows, bool isLeased)
    {
        var timeline = TimelineOf(request);

        // A version that is not known any more was reported as changed, which may have been no more than its first value: the store is asked for it.
        var isKnown = Versions.TryStamp(request.Versions, timeline, Moment.Never, out var present);
        if (isKnown && present != stamp)
        {
            QueryCacheMeter.CountRefusedFill(nameof(CacheOutcome.Overtaken));
            if (isLeased)
            {
                _ = Store.ReleaseAsync(request.State.KeyOfLease(request.Key), CancellationToken.None).AsTask();
            }

            return;
        }

        Local.Keep(request.Key, rows, stamp, Moment.Now(Clock), request.TimeToLive, new ResultProof(request.State, timeline, askedAt));
        var created = Clock.GetUtcNow().ToUnixTimeMilliseconds();
        var header = new EntryHeader(stamp, created, (long)request.TimeToLive.TotalMilliseconds);
        if (isLeased)
        {
            // Other processes wait for it; behind what waits for a thread here they would lose patience.
            _ = WriteAsync(request, header, rows, isKnown, isLeased);
            return;
        }

        ThreadPool.UnsafeQueueUserWorkItem(
            static work => _ = work.Cache.WriteAsync(work.Request, work.Header, work.Rows, work.IsKnown, isLeased: false),
            (Cache: this, Request: request, Header: header, Rows: rows, IsKnown: isKnown),
            preferLocal: false);
    }

    /// <summary>Starts the time of a result anew after a hit, if its query asks for that.</summary>
    public void Prolong(CacheRequest request)
    {
        if (request.Query.Hints.IsSliding)
        {
            _ = Store.ProlongAsync(request.State.KeyOfResult(request.Key), request.TimeToLive, CancellationToken.None).AsTask();
        }
    }

    /// <summary>Makes results old after changes of which others have told.</summary>
    /// <param name="tables">Exactly the tables that were changed; <see langword="null"/> if nobody knows.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">The store could not be told; the changes must be told again.</exception>
    public async Task PublishAsync(IReadOnlyList<TableName>? tables, CancellationToken cancellationToken)
    {
        if (State is null)
        {
            await BeginStart(null).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        var state = State ?? throw new InvalidOperationException(
            $"The query cache '{Store.Name}' could not be told of changes: {Store.Outage ?? "it does not know the database yet"}.");
        string[] keys = tables is null ? [state.DataKey] : [.. tables.Select(state.KeyOf)];
        var answer = await Store.BumpAsync(keys, null, cancellationToken).ConfigureAwait(false);
        Array.ForEach(keys, Versions.Forget);
        if (answer.Failure is { } failure)
        {
            throw new InvalidOperationException($"The query cache '{Store.Name}' could not be told of changes: {failure}.");
        }
    }

    /// <summary>Makes results old, as after a write.</summary>
    /// <param name="tables">The tables whose results are; <see langword="null"/> for all, and for a schema that may have changed.</param>
    /// <param name="tags">The tags whose results are.</param>
    /// <param name="cancellationToken">Ends the wait for the database to be known.</param>
    public async Task InvalidateAsync(IReadOnlyList<TableName>? tables, IReadOnlyList<string> tags, CancellationToken cancellationToken)
    {
        if (State is null)
        {
            await BeginStart(null).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        if (State is not { } state)
        {
            Publisher.Owe();
            return;
        }

        var keys = state.KeysOf((tables ?? []).Select(t => (t, WriteKind.Delete)), isUnknown: tables is null, changesSchema: tables is null);
        keys.UnionWith(tags.Select(state.KeyOfTag));
        List<string> bumped = [.. keys];
        Publisher.UnderWay.Add(bumped);
        await Publisher.PublishAsync(state, bumped, intent: null).ConfigureAwait(false);
    }

    /// <summary>Returns whether a request's result may be used and kept, seen from the writes of this process.</summary>
    public bool IsWriteUnderWay(string[] versions) => Publisher.UnderWay.ContainsAny(versions);

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await Publisher.DisposeAsync().ConfigureAwait(false);
        if (!Options.Store.IsShared)
        {
            await Store.DisposeAsync().ConfigureAwait(false);
        }

        Local.Dispose();
    }

    private async ValueTask<RowSet?> ReadLoadedAsync(CacheRequest request, UInt128 stamp, CancellationToken cancellationToken)
    {
        var mark = Versions.Mark(Moment.Now(Clock));
        var reading = await Store.ReadAsync(request.State.KeyOfResult(request.Key), request.Versions, cancellationToken).ConfigureAwait(false);
        var verdict = Judge(request, reading, mark);
        return verdict.Stamp == stamp ? verdict.Rows : null;
    }

    private async Task WriteAsync(CacheRequest request, EntryHeader header, RowSet rows, bool isKnown, bool isLeased)
    {
        if (!isKnown && !await IsPresentAsync(request, header.Stamp).ConfigureAwait(false))
        {
            QueryCacheMeter.CountRefusedFill(nameof(CacheOutcome.Overtaken));
        }
        else if (RowFormat.Encode(rows, header) is var payload && payload.Length > Options.MaxResultBytes)
        {
            QueryCacheMeter.CountRefusedFill(nameof(CacheOutcome.TooLarge));
        }
        else
        {
            // Results that were loaded at the same time need not be loaded again at the same time.
            var timeToLive = request.TimeToLive * (0.9 + (Random.Shared.NextDouble() * 0.1));
            var answer = await Store.WriteAsync(request.State.KeyOfResult(request.Key), payload, timeToLive, CancellationToken.None).ConfigureAwait(false);
            if (answer.IsDone)
            {
                QueryCacheMeter.CountFill(payload.Length);
            }
        }

        if (isLeased)
        {
            await Store.ReleaseAsync(request.State.KeyOfLease(request.Key), CancellationToken.None).ConfigureAwait(false);
        }
    }

    private async ValueTask<bool> IsPresentAsync(CacheRequest request, UInt128 stamp)
    {
        var mark = Versions.Mark(Moment.Now(Clock));
        var reading = await Publisher.AskAsync(request.Versions).ConfigureAwait(false);
        if (reading.Failure is not null)
        {
            return false;
        }

        Versions.Learn(request.Versions, reading, mark, Moment.Now(Clock));
        return CacheStamp.Of(reading, TimelineOf(request)) == stamp;
    }

    // A result of another history of the database is not used, and what this process reads in its history is no result for those in another.
    private uint TimelineOf(CacheRequest request) => (_source.Identity ?? request.State.Identity).Timeline;

    // For the age alone: no clock decides whether a result is valid.
    private TimeSpan TimeLeft(in EntryHeader header) =>
        TimeSpan.FromMilliseconds(Math.Clamp(header.CreatedUnixMilliseconds + header.TimeToLiveMilliseconds - Clock.GetUtcNow().ToUnixTimeMilliseconds(), 0, header.TimeToLiveMilliseconds));
}
