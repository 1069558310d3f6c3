// The command that is owned has no connection, and so nothing to give back.
#pragma warning disable CA1001

using EfScaling.Caching;
using EfScaling.Caching.Rows;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Sharding.Catalog;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.Routing;

/// <summary>What one context asks of the query cache, and tells it.</summary>
/// <remarks>Not thread-safe, like the context.</remarks>
internal sealed class ContextCache(ReadRouter router, QueryCacheOptions options, QueryCache cache)
{
    private const byte FormatVersion = 1;
    private const string Memory = "memory";

    // Holds the parameters of a query as the provider would send them, while its key is made.
    private readonly NpgsqlCommand _parameters = new();

    private bool _hasReportedColumns;

    // When the session of the newest query was given a token; never if it was not.
    private Moment _tokenGivenAt = Moment.Never;

    /// <summary>Gets the cache.</summary>
    public QueryCache Shared => cache;

    /// <summary>Begins to ask the cache for a query.</summary>
    /// <param name="query">What the cache knows of the query.</param>
    /// <param name="plan">What the router knows of it.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="claim">What its shard must own; <see langword="null"/> for nothing. Rows that were moved away and back are others.</param>
    /// <param name="command">How it is run.</param>
    /// <returns><see langword="null"/> if the cache has no part in it.</returns>
    public CacheRequest? TryBegin(
        CachedQuery query, QueryPlan plan, IReadOnlyList<IRelationalParameter> parameters, OwnershipClaim? claim, in RelationalCommandParameterObject command)
    {
        if (TimeToLiveOf(query.Hints) is not { } timeToLive)
        {
            return null;
        }

        if (!_hasReportedColumns)
        {
            _hasReportedColumns = true;
            cache.ReportColumns(command.Context!.Model);
        }

        UInt128 key = default;
        var obstacle = ObstacleOf(query, plan, command, out var dependencies);
        if (obstacle is null && TryMakeKey(query, dependencies!.Schema!, parameters, claim, command, out key) is { } unknown)
        {
            obstacle = new CacheDecision(CacheOutcome.NotCacheable, unknown);
        }

        if (obstacle is null && cache.TooLarge.Contains(key))
        {
            obstacle = new CacheDecision(CacheOutcome.TooLarge);
        }

        if (obstacle is null)
        {
            return new CacheRequest(query, dependencies!, key, timeToLive);
        }

        cache.ReportNotCacheable(query, obstacle.Value);
        router.NoteUncached(obstacle.Value);
        return null;
    }

    /// <summary>Notes a query that may write for all that is known, which the cache has no part in.</summary>
    public void RefuseUnseenWrite(CachedQuery query)
    {
        if (query.Hints.Mode == CacheMode.Cacheable)
        {
            var refusal = new CacheDecision(
                CacheOutcome.NotCacheable, query.Obstacle ?? "a function of the application may write; IsStable() says that it does not");
            cache.ReportNotCacheable(query, refusal);
            router.NoteUncached(refusal);
        }
    }

    /// <summary>Says what would become of a query.</summary>
    /// <returns><see langword="null"/> if the cache has no part in it.</returns>
    public string? Explain(CachedQuery? query, QueryPlan? plan, in RelationalCommandParameterObject command)
    {
        if (query is null || TimeToLiveOf(query.Hints) is not { } timeToLive)
        {
            return null;
        }

        if (ObstacleOf(query, plan!, command, out var dependencies) is { } obstacle)
        {
            return $"cache {cache.Store.Name}: not used, {obstacle}";
        }

        var isWrittenTooOften = dependencies!.Balance.IsOut && !options.KeepsDespiteWrites && !query.Hints.IsExpensive;
        return FormattableString.Invariant($"cache {cache.Store.Name}: used, for {timeToLive.TotalSeconds:0.###} s, until a write to ")
            + string.Join(", ", dependencies.Versions.Skip(CacheState.SchemaIndex + 1).Select(v => v[dependencies.State.KeyPrefix.Length..]))
            + (query.Hints.StaleWhileRefilling is { } maxAge ? FormattableString.Invariant($" and up to {maxAge.TotalSeconds:0.###} s after it while the new result is loaded") : string.Empty)
            + ((query.Hints.WhenDown ?? options.WhenDown) is { } maxAgeWhenDown ? FormattableString.Invariant($", or up to {maxAgeWhenDown.TotalSeconds:0.###} s old while no server can be asked") : string.Empty)
            + (isWrittenTooOften ? $"; new results are kept when they are asked for twice between writes, {CacheOutcome.WrittenTooOften}" : string.Empty);
    }

    /// <summary>Answers from the memory of this process.</summary>
    public RowSet? FindLocal(CacheRequest request)
    {
        if (cache.FindLocal(request, Moment.Now(cache.Clock), _tokenGivenAt) is not { } local)
        {
            return null;
        }

        Show(request, CacheOutcome.LocalHit, local.ShownBy);
        return local.Rows;
    }

    /// <summary>Answers from the memory of this process what another reader has loaded since the store was asked.</summary>
    /// <param name="request">The query.</param>
    /// <param name="stamp">The versions that the store answered with.</param>
    public RowSet? FindLoaded(CacheRequest request, UInt128 stamp)
    {
        if (cache.IsWriteUnderWay(request.Versions) || cache.Local.Find(request.Key, Moment.Now(cache.Clock)) is not { } local || local.Stamp != stamp)
        {
            return null;
        }

        Show(request, CacheOutcome.LocalHit, local.ShownBy);
        return local.Rows;
    }

    /// <summary>Answers from the memory of this process with a result that a write has just made old, if the query says so, while another reader loads the new one.</summary>
    /// <remarks>
    /// The result is what the cache would have answered when the result was last known to be right, and so it is no other answer for whoever has neither written
    /// since nor seen anything that may be newer. What a session has written is not known by table and moment: one that has written at all is not answered so.
    /// </remarks>
    public RowSet? FindOld(CacheRequest request, QueryPlan plan)
    {
        if (request.Query.Hints.StaleWhileRefilling is not { } maxAge || cache.IsWriteUnderWay(request.Versions))
        {
            return null;
        }

        var staleness = router.Terms.MaxStalenessOf(plan.Hints);
        if (FindOld(request, staleness < maxAge ? staleness : maxAge, out var age) is not { } old)
        {
            return null;
        }

        Show(request, CacheOutcome.StaleHit, old.ShownBy, age);
        return old.Rows;
    }

    /// <summary>Answers from the memory of this process with a result that was right a while ago, if the query or the context says so, because no server can be asked.</summary>
    /// <remarks>Who is answered so is decided as in <see cref="FindOld(CacheRequest, QueryPlan)"/>.</remarks>
    public RowSet? FindWhenDown(CacheRequest request, QueryPlan plan)
    {
        if (cache.AgeWhenDown(request) is not { } maxAge || cache.IsWriteUnderWay(request.Versions))
        {
            return null;
        }

        // What is said for this case alone counts before what the context says for all.
        if (FindOld(request, router.Terms.SaidStalenessOf(plan.Hints) is { } said && said < maxAge ? said : maxAge, out var age) is not { } old)
        {
            return null;
        }

        // Why the database was asked is counted already.
        QueryCacheMeter.CountDownHit();
        new CacheDecision(CacheOutcome.DownHit).Tag();
        router.Cluster.Logger.ServedWhenDown(router.Cluster.WriterName, age.TotalSeconds);
        router.NoteCached(CacheOutcome.DownHit, Memory, old.ShownBy, age);
        return old.Rows;
    }

    /// <summary>Judges the store's answer.</summary>
    public CacheVerdict Judge(CacheRequest request, in CacheReading reading, in VersionsMark mark)
    {
        var verdict = cache.Judge(request, reading, mark);
        if (verdict.Rows is not null && !cache.IsWriteUnderWay(request.Versions))
        {
            Show(request, verdict.Outcome, verdict.ShownBy);
            cache.Prolong(request);
            return verdict;
        }

        if (verdict.Rows is not null)
        {
            verdict = new CacheVerdict(CacheOutcome.WriteUnderWay);
        }
        else if (verdict.IsFillable && !cache.IsWorthKeeping(request, verdict.Stamp))
        {
            verdict = new CacheVerdict(CacheOutcome.WrittenTooOften);
            QueryCacheMeter.CountRefusedFill(nameof(CacheOutcome.WrittenTooOften));
        }

        if (!verdict.IsFillable)
        {
            router.NoteUncached(new CacheDecision(verdict.Outcome, verdict.Detail));
        }

        return verdict;
    }

    /// <summary>Waits for the context's turn to load a result.</summary>
    /// <returns><see langword="null"/> if it did not come in time.</returns>
    public LoadTurn? TakeTurn() => HasTurn ? LoadTurn.OfContext : router.Turn = cache.Turns.Take();

    /// <inheritdoc cref="TakeTurn" />
    public async ValueTask<LoadTurn?> TakeTurnAsync(CancellationToken cancellationToken) =>
        HasTurn ? LoadTurn.OfContext : router.Turn = await cache.Turns.TakeAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>Notes that a result that may be kept is read.</summary>
    /// <param name="request">The query.</param>
    /// <param name="outcome">Why there was none; or why it is not kept after all.</param>
    public void BeginLoad(CacheRequest request, CacheOutcome outcome)
    {
        if (outcome == CacheOutcome.Stale)
        {
            request.Balance.Spend();
        }

        router.NoteUncached(new CacheDecision(outcome));
    }

    /// <summary>Notes that the result came from a load that another reader had begun.</summary>
    public RowSet Joined(CacheRequest request, RowSet rows)
    {
        Show(request, CacheOutcome.Joined, Moment.Now(cache.Clock));
        return rows;
    }

    // With how long ago it was known to be right: others may find that it was later, meanwhile.
    private LocalResult? FindOld(CacheRequest request, TimeSpan maxAge, out TimeSpan age)
    {
        var now = Moment.Now(cache.Clock);
        age = maxAge;
        if (cache.FindOld(request, now, maxAge) is not { } old || !router.Session.AcceptsAnswerOf(old.ProvenAt, now))
        {
            return null;
        }

        age = old.ProvenAt.Until(Moment.Now(cache.Clock), cache.Clock);
        return old;
    }

    // A query of the application that runs between the rows of another one: others may be waiting for what that one holds.
    private bool HasTurn => router.Turn is { IsHeld: true };

    private CacheDecision? ObstacleOf(CachedQuery query, QueryPlan plan, in RelationalCommandParameterObject command, out CachedQuery.Dependencies? dependencies)
    {
        dependencies = null;
        if (query.Obstacle is { } fact)
        {
            return new CacheDecision(CacheOutcome.NotCacheable, fact);
        }

        if (ObstacleOf(plan, command) is { } obstacle)
        {
            return new CacheDecision(obstacle);
        }

        if (cache.State is not { } state)
        {
            _ = cache.BeginStart(null);
            return cache.Store.Outage is { } outage ? new CacheDecision(CacheOutcome.StoreUnavailable, outage) : new CacheDecision(CacheOutcome.Starting);
        }

        dependencies = cache.DependenciesOf(query, state);
        if (dependencies.Obstacle is { } table)
        {
            cache.Recheck(state);
            return new CacheDecision(CacheOutcome.NotCacheable, table);
        }

        if (dependencies.NeedsScope && options.VaryBy is null)
        {
            return new CacheDecision(CacheOutcome.NotCacheable, "a table has row security; say by VaryBy(...) what it goes by");
        }

        return cache.IsWriteUnderWay(dependencies.Versions) ? new CacheDecision(CacheOutcome.WriteUnderWay) : null;
    }

    // As the context stands.
    private CacheOutcome? ObstacleOf(QueryPlan plan, in RelationalCommandParameterObject command)
    {
        var contract = router.Terms.ContractOf(plan.Hints);
        if (contract == ReadContract.Primary
            || plan.Hints.Target == ReadTarget.Primary
            || plan.Obstacle == RoutingReason.PrimaryOnlyTable
            || router.Terms.MaxStalenessOf(plan.Hints) == TimeSpan.Zero)
        {
            return CacheOutcome.PrimaryRequested;
        }

        if (router.IsInSnapshot)
        {
            return CacheOutcome.Snapshot;
        }

        if (router.Own.IsInTransaction(command.Connection))
        {
            return CacheOutcome.InTransaction;
        }

        if (router.Own.IsElsewhere(command.Connection))
        {
            return CacheOutcome.ConnectionChanged;
        }

        if (router.Session.IsConnectionOpen)
        {
            return CacheOutcome.ConnectionOpen;
        }

        var demand = contract == ReadContract.Session ? router.Session.Demand() : Demand.None;
        _tokenGivenAt = demand.GivenAt;
        return demand.NeedsPrimary ? CacheOutcome.PrimaryRequested : null;
    }

    private TimeSpan? TimeToLiveOf(CacheHints hints) => hints.Mode switch
    {
        CacheMode.Cacheable => hints.TimeToLive ?? options.TimeToLive,
        CacheMode.Unsaid => options.CacheAll,
        _ => null,
    };

    // The values as they are sent: what a converter makes of the application's is part of the query.
    private string? TryMakeKey(
        CachedQuery query, RowSchema schema, IReadOnlyList<IRelationalParameter> parameters, OwnershipClaim? claim, in RelationalCommandParameterObject command, out UInt128 digest)
    {
        digest = default;
        var key = new KeyWriter(stackalloc byte[512]);
        try
        {
            key.Write(FormatVersion);
            key.Write(query.Text);
            key.Write((UInt128)schema.Fingerprint);
            key.Write(cache.Scope);
            key.Write(options.VaryBy?.Invoke(command.Context!) ?? string.Empty);
            foreach (var (map, bucket, version) in claim?.Items ?? [])
            {
                key.Write(map);
                key.Write(new UInt128((ulong)bucket, (ulong)version));
            }

            for (var i = 0; i < parameters.Count; i++)
            {
                parameters[i].AddDbParameter(_parameters, command.ParameterValues);
            }

            for (var i = 0; i < _parameters.Parameters.Count; i++)
            {
                var parameter = _parameters.Parameters[i];

                // Of most types the general kind tells all. Texts compare by their type, and the rest have names of their own.
                if (parameter.DbType is System.Data.DbType.String or System.Data.DbType.StringFixedLength)
                {
                    key.Write((UInt128)(int)parameter.NpgsqlDbType);
                }
                else if (parameter.DbType == System.Data.DbType.Object)
                {
                    key.Write(parameter.DataTypeName ?? string.Empty);
                }

                if (!key.TryWrite(parameter))
                {
                    return $"parameter '{parameter.ParameterName}' of type '{parameter.Value?.GetType().Name}'";
                }
            }

            digest = key.Digest;
            return null;
        }
        finally
        {
            _parameters.Parameters.Clear();
            key.Dispose();
        }
    }

    private void Show(CacheRequest request, CacheOutcome outcome, Moment shownBy, TimeSpan age = default)
    {
        request.Balance.Earn();
        new CacheDecision(outcome).Record();
        router.NoteCached(outcome, outcome is CacheOutcome.LocalHit or CacheOutcome.StaleHit ? Memory : cache.Store.Name, shownBy, age);
    }
}
