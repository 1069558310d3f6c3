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
    private static readonly TimeSpan _pauseAfterFailure = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private volatile CacheState? _state;
    private Task _starting = Task.CompletedTask;
    private Moment _failedAt = Moment.Never;
    private string? _saidReason;

    /// <summary>Gets what is known; <see langword="null"/> until it is, and when the context's database is another one by now.</summary>
    public CacheState? State => _state is { } state && source.Identity is { } identity && identity.IsSameDatabaseAs(state.Identity) ? state : null;

    /// <summary>Begins to learn, unless that is under way or has just failed.</summary>
    /// <param name="known">What the caller has found to be out of date; <see langword="null"/> if it knows nothing.</param>
    /// <returns>Completes when the attempt has ended, whatever its outcome. Never fails.</returns>
    public Task Begin(CacheState? known)
    {
        lock (_lock)
        {
            if (!_starting.IsCompleted || (_state is { } newer && !ReferenceEquals(newer, known) && State is not null))
            {
                return _starting;
            }

            var now = Moment.Now(source.Clock);
            if (_failedAt != Moment.Never && _failedAt.Until(now, source.Clock) < _pauseAfterFailure)
            {
                return _starting;
            }

            // Nothing of the caller's flow may reach what others wait for, least of all a transaction around it.
            if (ExecutionContext.IsFlowSuppressed())
            {
                return _starting = Task.Run(StartAsync);
            }

            using (ExecutionContext.SuppressFlow())
            {
                return _starting = Task.Run(StartAsync);
            }
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

    private async Task StartAsync()
    {
        try
        {
            var identity = source.Identity
                ?? (await source.PositionSinceAsync(Moment.Now(source.Clock), CancellationToken.None).ConfigureAwait(false))?.Identity;
            if (identity is not { } known)
            {
                Fail("the primary is not known");
                return;
            }

            var keyPrefix = KeyPrefixOf(prefix, source.Shard, known);
            await publisher.OpenAsync(keyPrefix).ConfigureAwait(false);
            var reading = await store.ReadAsync(null, [CacheState.SchemaKeyOf(keyPrefix)], CancellationToken.None).ConfigureAwait(false);
            if (reading.Failure is { } failure)
            {
                Fail(failure);
                return;
            }

            var catalog = await ReadCatalogAsync().ConfigureAwait(false);
            var wasKnown = _state is not null;
            _state = new CacheState(known, keyPrefix, catalog, reading.Versions[0], reading.Incarnation);
            _saidReason = null;
            logger.CacheStarted(store.Name, keyPrefix, wasKnown);
            if (!wasKnown && catalog.TablesWithTriggers is { Count: > 0 } triggered)
            {
                logger.TablesHaveTriggers(string.Join(", ", triggered));
            }
        }
        catch (DbException exception)
        {
            Fail(exception.Message);
        }
    }

    private async Task<TableCatalog> ReadCatalogAsync()
    {
        var connection = await database.OpenConnectionAsync().ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            return await TableCatalogReader.ReadAsync(connection, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private void Fail(string reason)
    {
        _failedAt = Moment.Now(source.Clock);
        if (reason != _saidReason)
        {
            // It is tried again at each query that asks for the cache.
            _saidReason = reason;
            logger.CacheNotStarted(store.Name, reason);
        }
    }
}
