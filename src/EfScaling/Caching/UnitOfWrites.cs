using EfScaling.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EfScaling.Caching;

/// <summary>What one context has written and not yet published: the tables of its transaction, or of its statement outside any.</summary>
/// <remarks>
/// From before the first statement runs until the store has been told, this process uses no result of the tables. With the first statement the store learns
/// that a write is coming, beside the statement and not before it, so that others can publish it if this process dies. Not thread-safe, like the context.
/// </remarks>
internal sealed class UnitOfWrites(QueryCache cache, ILogger logger)
{
    private readonly HashSet<(TableName Table, WriteKind Kind)> _tables = [];
    private bool _isUnknown;
    private bool _changesSchema;
    private List<string>? _marked;
    private CacheIntent? _intent;
    private long _announcedAt;
    private CacheState? _state;
    private bool _isUnheard;

    /// <summary>Gets whether anything was written.</summary>
    public bool IsEmpty => _tables.Count == 0 && !_isUnknown && !_changesSchema;

    /// <summary>Notes a write to a table.</summary>
    public void Note(TableName table, WriteKind kind) => _tables.Add((table, kind));

    /// <summary>Notes a write to nobody knows which tables.</summary>
    /// <param name="changesSchema">Whether it may have changed the schema.</param>
    public void NoteUnknown(bool changesSchema)
    {
        _isUnknown = true;
        _changesSchema |= changesSchema;
    }

    /// <summary>Waits until the cache knows the database, if it does not yet.</summary>
    public void Prepare()
    {
        if (cache.State is null)
        {
            IAsyncResult start = cache.BeginStartForWrite();
            start.AsyncWaitHandle.WaitOne(CacheStarter.LongestWait);
        }
    }

    /// <inheritdoc cref="Prepare" />
    public async ValueTask PrepareAsync()
    {
        if (cache.State is null)
        {
            await Task.WhenAny(cache.BeginStartForWrite(), Task.Delay(CacheStarter.LongestWait, cache.Clock)).ConfigureAwait(false);
        }
    }

    /// <summary>Announces what is noted, before the statement that writes it.</summary>
    /// <returns>The store's answer to a new announcement; <see langword="null"/> if everything was announced before.</returns>
    public Task<CacheAnswer>? Announce()
    {
        if (IsEmpty)
        {
            return null;
        }

        // All of a unit by one state: another one may have other keys.
        if ((_state ??= cache.State) is not { } state)
        {
            return Task.FromResult(new CacheAnswer(cache.Store.Outage ?? "the cache does not know the database yet"));
        }

        var keys = state.KeysOf(_tables, _isUnknown, _changesSchema);
        if (_marked is not null)
        {
            keys.ExceptWith(_marked);
        }

        if (keys.Count == 0 && !IsLeaseHalfOver && !_isUnheard)
        {
            return null;
        }

        List<string> added = [.. keys];
        cache.Publisher.UnderWay.Add(added);
        (_marked ??= []).AddRange(added);
        _intent = new CacheIntent(state.WritersKey, _intent?.Id ?? Guid.NewGuid().ToString("N"), [.. _marked], cache.Options.WriteLease);
        _announcedAt = cache.Clock.GetTimestamp();
        _isUnheard = false;
        return cache.Store.AnnounceAsync(_intent, CancellationToken.None).AsTask();
    }

    /// <summary>Notes that the store did not hear the announcement, so that the next one says everything again.</summary>
    public void NoteUnheard() => _isUnheard = true;

    /// <summary>Publishes what may be committed, now or later, because the server did not say. It stays noted, for a commit that is tried again.</summary>
    public void PublishInDoubt()
    {
        if (Take() is { } keys)
        {
            keys = [.. keys];
            cache.Publisher.UnderWay.Add(keys);
            cache.Publisher.PublishInDoubt(_state!, keys, GiveAwayIntent(), cache.Options.WriteLease);
        }
    }

    /// <inheritdoc cref="PublishInDoubt" />
    public async ValueTask PublishInDoubtAsync()
    {
        if (Take() is { } keys)
        {
            keys = [.. keys];
            cache.Publisher.UnderWay.Add(keys);
            await cache.Publisher.PublishInDoubtAsync(_state!, keys, GiveAwayIntent(), cache.Options.WriteLease).ConfigureAwait(false);
        }
    }

    /// <summary>Publishes what was written, which is committed or may be.</summary>
    public void Publish()
    {
        if (Take() is { } keys)
        {
            var state = _state!;
            if (!cache.Publisher.Publish(state, keys, _intent))
            {
                _ = cache.BeginStart(state);
            }

            Forget();
        }
    }

    /// <inheritdoc cref="Publish" />
    public async ValueTask PublishAsync()
    {
        if (Take() is { } keys)
        {
            var state = _state!;
            if (!await cache.Publisher.PublishAsync(state, keys, _intent).ConfigureAwait(false))
            {
                _ = cache.BeginStart(state);
            }

            Forget();
        }
    }

    /// <summary>Forgets what was written, because it was rolled back.</summary>
    public void Discard()
    {
        if (_marked is { } marked)
        {
            cache.Publisher.UnderWay.Remove(marked);
        }

        if (_intent is { } intent)
        {
            cache.Publisher.Withdraw(intent);
        }

        Forget();
    }

    private bool IsLeaseHalfOver => _intent is not null && cache.Clock.GetElapsedTime(_announcedAt) > _intent.Lease / 2;

    // What is in doubt stays announced until it is not; a commit that is tried again announces itself anew.
    private CacheIntent? GiveAwayIntent()
    {
        var intent = _intent;
        (_intent, _isUnheard) = (null, true);
        return intent;
    }

    private List<string>? Take()
    {
        if (IsEmpty)
        {
            return null;
        }

        if ((_state ??= cache.State) is not { } state)
        {
            cache.Publisher.Owe();
            _ = cache.BeginStart(null);
            var level = cache.Publisher.LevelOfReport();
            logger.WriteNotPublished(level, cache.Store.Name, _tables.Count, cache.Store.Outage ?? "the cache does not know the database yet");
            Discard();
            return null;
        }

        // What was written without being announced, for want of a chance.
        var rest = state.KeysOf(_tables, _isUnknown, _changesSchema);
        if (_marked is not null)
        {
            rest.ExceptWith(_marked);
        }

        if (rest.Count > 0)
        {
            List<string> added = [.. rest];
            cache.Publisher.UnderWay.Add(added);
            (_marked ??= []).AddRange(added);
        }

        return _marked;
    }

    private void Forget()
    {
        _tables.Clear();
        (_isUnknown, _changesSchema) = (false, false);
        (_marked, _intent, _state, _isUnheard) = (null, null, null, false);
    }
}
