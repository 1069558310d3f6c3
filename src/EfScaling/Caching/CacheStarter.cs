using System.Data.Common;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Topology;
using Microsoft.Extensions.Logging;

namespace EfScaling.Caching;

/// <summary>Learns what the cache must know of the database, and learns it anew when the schema has changed.</summary>
/// <remarks>
/// The version of the schema is read before the catalog is: a change that the catalog does not show yet bumps the version afterwards, and what was learned
/// is not used any more. Thread-safe.
/// </remarks>
internal sealed class CacheStarter(
    ICacheStore store, IPositionSource source, DbDataSource database, string prefix, CachePublisher publisher, ILogger logger)
{
    /// <summary>How long the first write of a process waits for what it must know to be published.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan _pauseAfterFailure = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _pauseAfterRecheck = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _pauseWhileInsisting = TimeSpan.FromMilliseconds(10);

    private readonly Lock _lock = new();
    private volatile CacheState? _state;
    private Task _starting = Task.CompletedTask;
    private Task? _insisting;
    private Moment _failedAt = Moment.Never;
    private volatile bool _failedInOutage;
    private string? _saidReason;
    private Moment _recheckedAt = Moment.Never;

    /// <summary>Gets what is known; <see langword="null"/> until it is, and when the context's database is another one by now.</summary>
    public CacheState? State => _state is { } state && source.Identity is { } identity && identity.IsSameDatabaseAs(state.Identity) ? state : null;

    /// <summary>Begins to learn, unless that is under way or has just failed.</summary>
    /// <param name="known">What the caller has found to be out of date; <see langword="null"/> if it knows nothing.</param>
    /// <returns>Completes when the attempt has ended, whatever its outcome. Never fails.</returns>
    public Task Begin(CacheState? known) => Begin(known, insists: false);

    /// <summary>Begins to learn for a write. The first one has it tried again and again, for a store that is still connecting when the process starts.</summary>
    /// <returns>Completes when the database is known, or when it is not for all that has been tried. Never fails.</returns>
    public Task BeginForWrite()
    {
        lock (_lock)
        {
            _insisting ??= Detached(InsistAsync);
            return _insisting.IsCompleted ? Begin(null) : _insisting;
        }
    }

    /// <summary>Looks in the background whether the schema has changed, unless that was just done.</summary>
    /// <param name="known">What the caller knows, which lacks something that it needs.</param>
    /// <remarks>A query of a table that the catalog does not show asks the store for nothing, and would never learn that the table was created since.</remarks>
    public void Recheck(CacheState known)
    {
        lock (_lock)
        {
            var now = Moment.Now(source.Clock);
            if (_recheckedAt != Moment.Never && _recheckedAt.Until(now, source.Clock) < _pauseAfterRecheck)
            {
                return;
            }

            _recheckedAt = now;
        }

        ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Starter.RecheckAsync(work.Known), (Starter: this, Known: known), preferLocal: false);
    }

    private async Task RecheckAsync(CacheState known)
    {
        var reading = await publisher.AskAsync([known.DataKey, known.SchemaKey]).ConfigureAwait(false);
        if (reading.Failure is null && !known.IsOf(reading))
        {
            await Begin(known).ConfigureAwait(false);
        }
    }

    /// <summary>Returns the first part of all keys of a database.</summary>
    public static string KeyPrefixOf(string prefix, string shard, ServerIdentity identity)
    {
        // The braces keep all keys of a database in one slot of a Redis cluster.
        using var key = new KeyWriter(stackalloc byte[256]);
        key.Write(shard);
        key.Write(new UInt128(identity.SystemId, identity.Database));
        return $"{prefix}:{{{(ulong)key.Digest:x16}}}:";
    }

    // Nothing of the caller's flow may reach what others wait for, least of all a transaction around it.
    private static Task Detached(Func<Task> work)
    {
        if (ExecutionContext.IsFlowSuppressed())
        {
            return Task.Run(work);
        }

        using (ExecutionContext.SuppressFlow())
        {
            return Task.Run(work);
        }
    }

    private Task Begin(CacheState? known, bool insists)
    {
        lock (_lock)
        {
            if (!_starting.IsCompleted || (_state is { } newer && !ReferenceEquals(newer, known) && State is not null))
            {
                return _starting;
            }

            return !insists && HasJustFailed ? _starting : _starting = Detached(StartAsync);
        }
    }

    // What failed for want of the store need not wait when the store is there.
    private bool HasJustFailed =>
        _failedAt != Moment.Never
        && _failedAt.Until(Moment.Now(source.Clock), source.Clock) < _pauseAfterFailure
        && !(_failedInOutage && store.Outage is null);

    private async Task InsistAsync()
    {
        var began = Moment.Now(source.Clock);
        await Begin(null, insists: true).ConfigureAwait(false);
        while (State is null && began.Until(Moment.Now(source.Clock), source.Clock) < LongestWait)
        {
            await Task.Delay(_pauseWhileInsisting, source.Clock).ConfigureAwait(false);
            await Begin(null, insists: true).ConfigureAwait(false);
        }
    }

    // A store of the application may throw though it must not; then the cache stays out of use, and is tried again.
#pragma warning disable CA1031
    private async Task StartAsync()
    {
        var startedInOutage = store.Outage is not null;
        try
        {
            var identity = source.Identity
                ?? (await source.PositionSinceAsync(Moment.Now(source.Clock), CancellationToken.None).ConfigureAwait(false))?.Identity;
            if (identity is not { } known)
            {
                Fail("the primary is not known", startedInOutage);
                return;
            }

            var keyPrefix = KeyPrefixOf(prefix, source.Shard, known);
            await publisher.OpenAsync(keyPrefix).ConfigureAwait(false);
            var reading = await publisher.AskAsync([CacheState.SchemaKeyOf(keyPrefix)]).ConfigureAwait(false);
            if (reading.Failure is { } failure)
            {
                Fail(failure, startedInOutage);
                return;
            }

            var catalog = await ReadCatalogAsync().ConfigureAwait(false);
            var former = _state;
            var wasKnown = former is not null;
            _state = new CacheState(known, keyPrefix, catalog, reading.Versions[0], reading.Incarnation);
            if (former is not null && _state.DifferenceFrom(former) is { } difference)
            {
                QueryCacheMeter.CountGeneration(difference);
            }

            _saidReason = null;
            logger.CacheStarted(store.Name, keyPrefix, wasKnown);
            if (!wasKnown && catalog.TablesWithTriggers is { Count: > 0 } triggered)
            {
                logger.TablesHaveTriggers(string.Join(", ", triggered));
            }
        }
        catch (DbException exception)
        {
            Fail(exception.Message, startedInOutage);
        }
        catch (Exception exception)
        {
            Fail($"it was prevented by {exception.GetType().Name}", startedInOutage);
        }
    }
#pragma warning restore CA1031

    private async Task<TableCatalog> ReadCatalogAsync()
    {
        var connection = await database.OpenConnectionAsync().ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            return await TableCatalogReader.ReadAsync(connection, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private void Fail(string reason, bool startedInOutage)
    {
        _failedInOutage = startedInOutage || store.Outage is not null;
        _failedAt = Moment.Now(source.Clock);
        if (reason != _saidReason)
        {
            // It is tried again at each query that asks for the cache.
            _saidReason = reason;
            logger.CacheNotStarted(store.Name, reason);
        }
    }
}
