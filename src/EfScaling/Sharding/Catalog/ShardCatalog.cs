using System.Data.Common;
using System.Runtime.ExceptionServices;
using EfScaling.Diagnostics;
using EfScaling.Replication;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace EfScaling.Sharding.Catalog;

/// <summary>The shard maps of a process as the catalog has them: loaded at first use, and kept current.</summary>
/// <remarks>
/// Thread-safe. Pictures only go forward. What runs never waits for the catalog, except the first use and whatever a shard has refused. The first load starts
/// a watcher, which lives until this object is disposed.
/// </remarks>
internal sealed class ShardCatalog : IDisposable, IAsyncDisposable
{
    private static readonly TimeSpan _longestRetry = TimeSpan.FromSeconds(10);

    private readonly ShardCatalogOptions _options;
    private readonly Func<CatalogReading, ShardPicture> _adopt;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly NpgsqlDataSource _source;
    private readonly CatalogReader _reader;
    private readonly CatalogFile? _file;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private volatile State? _state;
    private int _begun;
    private Exception? _failure;
    private bool _isWatching;

    /// <param name="options">The settings.</param>
    /// <param name="adopt">Makes the picture of a reading, or refuses it with <see cref="InvalidOperationException"/>.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="logger">Takes what happens.</param>
    public ShardCatalog(ShardCatalogOptions options, Func<CatalogReading, ShardPicture> adopt, TimeProvider clock, ILogger logger)
    {
        (_options, _adopt, _clock, _logger) = (options, adopt, clock, logger);
        _source = options.DataSource ?? NpgsqlDataSource.Create(options.ConnectionString!);
        _reader = new CatalogReader(_source);
        _file = options.CacheFile is { } path ? new CatalogFile(path) : null;
    }

    /// <summary>Gets the newest picture; <see langword="null"/> before the first load.</summary>
    public ShardPicture? Current => _state?.Picture;

    /// <summary>Gets the number of the catalog, which no other has; zero before the first load.</summary>
    public long Id => _state?.Reading.Id ?? 0;

    /// <summary>Gets the connections to the catalog.</summary>
    public NpgsqlDataSource Source => _source;

    /// <summary>Loads the maps unless they are loaded.</summary>
    /// <exception cref="InvalidOperationException">There are none to be had, or they do not fit to the process; the message says why and what to do.</exception>
    public ShardPicture Load()
    {
        if (_state is null)
        {
            var begun = Volatile.Read(ref _begun);
            _turn.Wait();
            try
            {
                if (_state is null && TryBeginQuestion(begun))
                {
                    CatalogReading? reading = null;
                    NpgsqlException? failure = null;
                    try
                    {
                        reading = _reader.Read(-1);
                    }
                    catch (NpgsqlException exception)
                    {
                        failure = exception;
                    }

                    Begin(reading, failure);
                    _failure = null;
                }
            }
            catch (Exception exception)
            {
                _failure = exception;
                throw;
            }
            finally
            {
                _turn.Release();
            }
        }

        return _state!.Picture;
    }

    /// <inheritdoc cref="Load" />
    public async ValueTask<ShardPicture> LoadAsync(CancellationToken cancellationToken)
    {
        if (_state is null)
        {
            var begun = Volatile.Read(ref _begun);
            await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                if (_state is null && TryBeginQuestion(begun))
                {
                    CatalogReading? reading = null;
                    NpgsqlException? failure = null;
                    try
                    {
                        reading = await _reader.ReadAsync(-1, cancellationToken).ConfigureAwait(false);
                    }
                    catch (NpgsqlException exception)
                    {
                        failure = exception;
                    }

                    Begin(reading, failure);
                    _failure = null;
                }
            }
            catch (Exception exception)
            {
                _failure = exception;
                throw;
            }
            finally
            {
                _turn.Release();
            }
        }

        return _state!.Picture;
    }

    /// <summary>Asks the catalog for changes. Callers that come while it is being asked share the next question.</summary>
    /// <exception cref="NpgsqlException">The catalog does not answer.</exception>
    /// <exception cref="InvalidOperationException">Its maps do not fit to the process.</exception>
    public void Refresh()
    {
        var begun = Volatile.Read(ref _begun);
        _turn.Wait();
        try
        {
            if (TryBeginQuestion(begun))
            {
                Take(_reader.Read(_state?.Reading.Epoch ?? -1));
                _failure = null;
            }
        }
        catch (Exception exception)
        {
            _failure = exception;
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc cref="Refresh" />
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        var begun = Volatile.Read(ref _begun);
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (TryBeginQuestion(begun))
            {
                Take(await _reader.ReadAsync(_state?.Reading.Epoch ?? -1, cancellationToken).ConfigureAwait(false));
                _failure = null;
            }
        }
        catch (Exception exception)
        {
            _failure = exception;
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _stopping.Cancel();
        if (_options.DataSource is null)
        {
            _source.Dispose();
        }
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        if (_options.DataSource is null)
        {
            await _source.DisposeAsync().ConfigureAwait(false);
        }
    }

    // The turn must be held. A question that was begun after the caller came has answered the caller, too, by a failure if it failed, unless whoever asked gave it up.
    private bool TryBeginQuestion(int begunBefore)
    {
        if (_begun != begunBefore && _failure is not OperationCanceledException)
        {
            if (_failure is not null)
            {
                ExceptionDispatchInfo.Throw(_failure);
            }

            return false;
        }

        _begun++;
        return true;
    }

    // The turn must be held.
    private void Begin(CatalogReading? reading, NpgsqlException? failure)
    {
        if (reading is not null)
        {
            Take(reading);
        }
        else
        {
            TakeFile(failure!);
        }

        Watch();
    }

    // The turn must be held.
    private void Take(CatalogReading? reading)
    {
        // A catalog that was restored from a backup must not take the process back.
        if (reading is null || (_state is { } known && known.Reading.Id == reading.Id && known.Reading.Epoch >= reading.Epoch))
        {
            return;
        }

        if (_state is { } other && other.Reading.Id != reading.Id)
        {
            throw new InvalidOperationException(
                "The shard catalog is another one than the process has begun with. Lead UseCatalog(...) to the former, or start the process anew.");
        }

        _state = new State(reading, _adopt(reading));
        _logger.ShardMapsLoaded(reading.Epoch);
        Keep(reading);
    }

    private void TakeFile(NpgsqlException failure)
    {
        Exception? damage = null;
        if (_file is not null)
        {
            try
            {
                if (_file.Read() is var (reading, writtenAt))
                {
                    _state = new State(reading, _adopt(reading));
                    _logger.ShardMapsFromFile(NodeError.Describe(failure), reading.Epoch, _file.Path, Math.Round((_clock.GetUtcNow().UtcDateTime - writtenAt).TotalSeconds));
                    return;
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or FormatException)
            {
                damage = exception;
            }
        }

        throw new InvalidOperationException(
            $"The shard maps were to be loaded from the catalog, which does not answer ({NodeError.Describe(failure)}), "
            + (_file is null ? "and none are kept on disk. Start the catalog's server, correct UseCatalog(...), or keep the last known maps by CacheFile(...)."
                : damage is null ? $"and the file '{_file.Path}' does not exist yet. Start the catalog's server, or correct UseCatalog(...)."
                : $"and the file '{_file.Path}' cannot be used ({damage.Message}). Start the catalog's server, or correct UseCatalog(...)."),
            failure);
    }

    private void Keep(CatalogReading reading)
    {
        if (_file is null)
        {
            return;
        }

        try
        {
            _file.Write(reading);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _logger.ShardMapsNotKept(_file.Path, exception.Message);
        }
    }

    // The turn must be held. Unsafe: the watcher outlives the command that starts it and must not keep that one's async-local values alive.
    private void Watch()
    {
        if (!_isWatching)
        {
            _isWatching = true;
            ThreadPool.UnsafeQueueUserWorkItem(static catalog => _ = catalog.WatchAsync(catalog._stopping.Token), this, preferLocal: false);
        }
    }

    private async Task WatchAsync(CancellationToken stopping)
    {
        var retry = TimeSpan.Zero;
        var isKnownDown = false;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (_options.Listens)
                {
                    await ListenAsync(() => (retry, isKnownDown) = (TimeSpan.Zero, false), stopping).ConfigureAwait(false);
                }
                else
                {
                    await Task.Delay(_options.PollInterval, _clock, stopping).ConfigureAwait(false);
                    await RefreshAsync(stopping).ConfigureAwait(false);
                    (retry, isKnownDown) = (TimeSpan.Zero, false);
                }
            }
            catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException && stopping.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // Whatever it is, what runs goes on with the maps that it has, and shards refuse what is not right any more.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                if (!isKnownDown)
                {
                    isKnownDown = true;
                    Report(exception);
                }

                retry = TimeSpan.FromTicks(Math.Min(_longestRetry.Ticks, Math.Max(TimeSpan.FromMilliseconds(200).Ticks, retry.Ticks * 2)));
                await Task.Delay(retry, _clock, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Report(Exception exception)
    {
        if (exception is DbException)
        {
            _logger.ShardCatalogUnreachable(NodeError.Describe(exception), _state!.Reading.Epoch);
        }
        else
        {
            _logger.ShardMapsRefused(_state!.Reading.Epoch, exception.Message);
        }
    }

    // Until the connection breaks. Asks over the connection that it listens on, so that one that is dead does not go unnoticed.
    private async Task ListenAsync(Action answered, CancellationToken stopping)
    {
        var connection = await _source.OpenConnectionAsync(stopping).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var listen = new NpgsqlCommand($"LISTEN {CatalogSql.Channel}", connection);
            await using (listen.ConfigureAwait(false))
            {
                await listen.ExecuteNonQueryAsync(stopping).ConfigureAwait(false);
            }

            while (true)
            {
                // Also at first: nothing told of what changed before.
                var reading = await CatalogReader.ReadAsync(connection, _state!.Reading.Epoch, stopping).ConfigureAwait(false);
                await TakeAsync(reading, stopping).ConfigureAwait(false);
                answered();
                await connection.WaitAsync(_options.PollInterval, stopping).ConfigureAwait(false);
            }
        }
    }

    private async Task TakeAsync(CatalogReading? reading, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            Take(reading);
        }
        finally
        {
            _turn.Release();
        }
    }

    private sealed record State(CatalogReading Reading, ShardPicture Picture);
}
