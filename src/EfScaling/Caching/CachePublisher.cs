using EfScaling.Consistency;
using EfScaling.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EfScaling.Caching;

/// <summary>Tells the store what committed writes have made old, until it has heard it.</summary>
/// <remarks>
/// A write that is committed never fails for want of the store. What could not be told at once is told again in the background; until then this process
/// uses no result that it concerns. Thread-safe.
/// </remarks>
internal sealed class CachePublisher(ICacheStore store, LocalVersions versions, TimeProvider clock, ILogger logger) : IAsyncDisposable
{
    // A server runs one script at a time, and others wait for it.
    private const int MostAtOnce = 1_000;

    // How often overdue writes of other processes are looked for, and failed publications are tried again.
    private static readonly TimeSpan _period = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _retryPause = TimeSpan.FromMilliseconds(100);

    // Of an outage that goes on, not each write is worth a warning.
    private static readonly TimeSpan _pauseAfterWarning = TimeSpan.FromSeconds(10);

    private readonly UnpublishedWrites _unpublished = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly Lock _lock = new();
    private string? _keyPrefix;
    private bool _owesEverything;
    private Moment _warnedAt = Moment.Never;
    private Task _retrying = Task.CompletedTask;
    private Task _recovering = Task.CompletedTask;

    /// <summary>Gets the versions of writes that are not yet published.</summary>
    public WritesUnderWay UnderWay { get; } = new();

    /// <summary>Learns where the database's keys are, publishes what was written before that was known, and begins to look for abandoned writes.</summary>
    public async Task OpenAsync(string keyPrefix)
    {
        bool owes;
        lock (_lock)
        {
            (_keyPrefix, owes, _owesEverything) = (keyPrefix, _owesEverything, false);
            if (_recovering.IsCompleted)
            {
                _recovering = RecoverAsync();
            }

            if (_retrying.IsCompleted)
            {
                _retrying = RetryAsync();
            }
        }

        if (owes)
        {
            var everything = EverythingIn(keyPrefix);
            UnderWay.Add(everything);
            Settle(new Publication(everything, null), await BumpAsync(everything, null, CancellationToken.None).ConfigureAwait(false));
        }

        await RecoverOverdueAsync(keyPrefix + "i").ConfigureAwait(false);
    }

    /// <summary>Notes a committed write of which not even the keys are known: everything counts as old once they are.</summary>
    public void Owe()
    {
        string? keyPrefix;
        lock (_lock)
        {
            _owesEverything = true;
            keyPrefix = _keyPrefix;
        }

        // The start that will learn the keys may have done so just now, and look no more at what is owed.
        if (keyPrefix is not null)
        {
            var everything = EverythingIn(keyPrefix);
            UnderWay.Add(everything);
            Array.ForEach(everything, versions.Forget);
            UnderWay.Remove(_unpublished.Add(everything, intent: null));
        }
    }

    /// <summary>Publishes a committed write.</summary>
    /// <param name="state">By what the tables of the write were found.</param>
    /// <param name="keys">The versions, which are among <see cref="UnderWay"/>.</param>
    /// <param name="intent">What was announced; <see langword="null"/> if nothing was.</param>
    /// <returns>Whether the schema was still the one that the tables were found by. If not, everything was made old.</returns>
    public bool Publish(CacheState state, IReadOnlyList<string> keys, CacheIntent? intent)
    {
        // Sent ahead on the same way: whoever has the answer to the second has that to the first.
        var asking = AskSchema(state);
        var answer = Bump(keys, intent);
        var isCurrent = state.IsCurrent(asking.Answer());
        if (answer.IsDone && !isCurrent)
        {
            answer = Bump([state.DataKey], intent: null);
        }

        return Settle(state, new Publication(keys, intent), answer, isCurrent);
    }

    /// <inheritdoc cref="Publish" />
    public async ValueTask<bool> PublishAsync(CacheState state, IReadOnlyList<string> keys, CacheIntent? intent)
    {
        var asking = AskSchema(state);
        var answer = await BumpAsync(keys, intent, CancellationToken.None).ConfigureAwait(false);
        var isCurrent = state.IsCurrent(await asking.AnswerAsync().ConfigureAwait(false));
        if (answer.IsDone && !isCurrent)
        {
            answer = await BumpAsync([state.DataKey], null, CancellationToken.None).ConfigureAwait(false);
        }

        return Settle(state, new Publication(keys, intent), answer, isCurrent);
    }

    /// <summary>Reads versions, from a store that may throw though it must not.</summary>
    public ValueTask<CacheReading> AskAsync(string[] keys) => new VersionQuestion(store, keys).AnswerAsync();

    /// <summary>Returns how loud to report a committed write that the store was not told of: the first of an outage is a warning, and then one now and then.</summary>
    public LogLevel LevelOfReport()
    {
        lock (_lock)
        {
            var now = Moment.Now(clock);
            if (_warnedAt.Until(now, clock) < _pauseAfterWarning)
            {
                return LogLevel.Debug;
            }

            _warnedAt = now;
            return LogLevel.Warning;
        }
    }

    /// <summary>Takes an announcement back: what it announced was rolled back.</summary>
    public void Withdraw(CacheIntent intent) => _ = BumpAsync([], intent, CancellationToken.None).AsTask();

    /// <summary>Publishes a write of which nobody knows whether and when it is committed: the server did not say.</summary>
    /// <param name="state">By what the tables of the write were found.</param>
    /// <param name="keys">The versions, which are among <see cref="UnderWay"/> until it has been published for the last time.</param>
    /// <param name="intent">What was announced.</param>
    /// <param name="lease">How long the commit may still be on its way; it is published again afterwards, by others if this process is no more.</param>
    public void PublishInDoubt(CacheState state, IReadOnlyList<string> keys, CacheIntent? intent, TimeSpan lease) => Doubt(state, keys, intent, lease, Bump(keys, intent: null));

    /// <inheritdoc cref="PublishInDoubt" />
    public async ValueTask PublishInDoubtAsync(CacheState state, IReadOnlyList<string> keys, CacheIntent? intent, TimeSpan lease) =>
        Doubt(state, keys, intent, lease, await BumpAsync(keys, intent: null, CancellationToken.None).ConfigureAwait(false));

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_retrying, _recovering).ConfigureAwait(false);
        _ending.Dispose();
    }

    // What a change of the schema has tied to a table since, by a foreign key or a view, is not among the keys.
    private VersionQuestion AskSchema(CacheState state) => new(store, [state.SchemaKey]);

    private bool Settle(CacheState state, Publication publication, CacheAnswer answer, bool isCurrent)
    {
        if (!isCurrent)
        {
            versions.Forget(state.DataKey);
            if (!answer.IsDone)
            {
                UnderWay.Add([state.DataKey]);
                publication = publication with { Keys = [.. publication.Keys, state.DataKey] };
            }
        }

        Settle(publication, answer);
        return isCurrent;
    }

    private static string[] EverythingIn(string keyPrefix) => [CacheState.DataKeyOf(keyPrefix), CacheState.SchemaKeyOf(keyPrefix)];

    private void Doubt(CacheState state, IReadOnlyList<string> keys, CacheIntent? intent, TimeSpan lease, CacheAnswer answer)
    {
        foreach (var key in keys)
        {
            versions.Forget(key);
        }

        if (answer.Failure is { } failure)
        {
            var level = LevelOfReport();
            logger.WriteNotPublished(level, store.Name, keys.Count, failure);
        }

        _ = PublishAgainAsync(state, keys, intent, lease);
    }

    private async Task PublishAgainAsync(CacheState state, IReadOnlyList<string> keys, CacheIntent? intent, TimeSpan lease)
    {
        try
        {
            await Task.Delay(lease, clock, _ending.Token).ConfigureAwait(false);
            await PublishAsync(state, keys, intent).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException)
        {
            // The cache ends; the write is announced still, and others publish it.
        }
    }

    // A store of the application may throw though it must not. The write is committed all the same, and its caller must hear that.
#pragma warning disable CA1031
    private CacheAnswer Bump(IReadOnlyList<string> keys, CacheIntent? intent)
    {
        try
        {
            return store.Bump(keys, intent);
        }
        catch (Exception exception)
        {
            return new CacheAnswer($"the store threw {exception.GetType().Name}");
        }
    }

    private async ValueTask<CacheAnswer> BumpAsync(IReadOnlyList<string> keys, CacheIntent? intent, CancellationToken cancellationToken)
    {
        try
        {
            return await store.BumpAsync(keys, intent, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            return new CacheAnswer($"the store threw {exception.GetType().Name}");
        }
    }

    private async ValueTask<int> RecoverOverdueAsync(string log)
    {
        try
        {
            return await store.RecoverAsync(log, _ending.Token).ConfigureAwait(false);
        }
        catch (Exception) when (!_ending.IsCancellationRequested)
        {
            // It is tried again soon.
            return 0;
        }
    }
#pragma warning restore CA1031

    private void Settle(Publication publication, CacheAnswer answer)
    {
        foreach (var key in publication.Keys)
        {
            // Not left to the store's report, which comes a moment later or not at all.
            versions.Forget(key);
        }

        if (answer.IsDone)
        {
            UnderWay.Remove(publication.Keys);
            QueryCacheMeter.CountPublication();
            return;
        }

        QueryCacheMeter.CountPublicationFailure();
        var level = LevelOfReport();
        logger.WriteNotPublished(level, store.Name, publication.Keys.Count, answer.Failure!);
        UnderWay.Remove(_unpublished.Add(publication.Keys, publication.Intent));
    }

    private async Task RetryAsync()
    {
        try
        {
            while (true)
            {
                await _unpublished.UntilAddedAsync(_ending.Token).ConfigureAwait(false);
                var (keys, intents) = _unpublished.Take();
                foreach (var some in keys.Chunk(MostAtOnce))
                {
                    await UntilDoneAsync(some, intent: null).ConfigureAwait(false);
                    Settle(new Publication(some, Intent: null), CacheAnswer.Done);
                }

                // Last: whatever happens before, others publish what is announced.
                foreach (var intent in intents)
                {
                    await UntilDoneAsync([], intent).ConfigureAwait(false);
                }

                if (keys.Length > 0)
                {
                    lock (_lock)
                    {
                        _warnedAt = Moment.Never;
                    }

                    logger.WritePublishedLate(store.Name, keys.Length);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The cache ends; what was not published is announced, and others publish it.
        }
    }

    private async Task UntilDoneAsync(IReadOnlyList<string> keys, CacheIntent? intent)
    {
        while (!(await BumpAsync(keys, intent, _ending.Token).ConfigureAwait(false)).IsDone)
        {
            await Task.Delay(_retryPause, clock, _ending.Token).ConfigureAwait(false);
        }
    }

    private async Task RecoverAsync()
    {
        using var timer = new PeriodicTimer(_period, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(_ending.Token).ConfigureAwait(false))
            {
                var count = await RecoverOverdueAsync(_keyPrefix + "i").ConfigureAwait(false);
                if (count > 0)
                {
                    QueryCacheMeter.CountRecoveredWrites(count);
                    logger.AbandonedWritesPublished(store.Name, count);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The cache ends.
        }
    }

    private sealed record Publication(IReadOnlyList<string> Keys, CacheIntent? Intent);
}
