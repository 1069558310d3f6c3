// The base class would end a command and a connection; those of the shards' results end with these.
#pragma warning disable CA2215

using System.Data.Common;
using System.Runtime.ExceptionServices;
using EfScaling.Routing.Transactions;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Scatter;

/// <summary>Gives EF the rows of several shards, and ends the results of all of them.</summary>
internal sealed class ScatterDataReader(IReadOnlyList<RelationalDataReader> shards, MergedDataReader rows) : RelationalDataReader
{
    private bool _isBroken;
    private bool _isDisposed;

    /// <inheritdoc />
    public override DbDataReader DbDataReader => rows;

    /// <inheritdoc />
    public override bool Read()
    {
        _isBroken = true;
        var hasRow = rows.Read();
        _isBroken = false;
        return hasRow;
    }

    /// <inheritdoc />
    public override Task<bool> ReadAsync(CancellationToken cancellationToken = default)
    {
        _isBroken = true;
        var reading = rows.ReadAsync(cancellationToken);
        if (!reading.IsCompletedSuccessfully)
        {
            return ReadSlowlyAsync(reading);
        }

        _isBroken = false;
        return reading;
    }

    /// <inheritdoc />
    public override void Close() => Dispose();

    /// <inheritdoc />
    public override ValueTask CloseAsync() => DisposeAsync();

    /// <inheritdoc />
    public override void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            rows.Close();
            if (_isBroken)
            {
                Stop(shards);
                return;
            }

            End(shards);
        }
    }

    /// <inheritdoc />
    public override async ValueTask DisposeAsync()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            rows.Close();
            if (_isBroken)
            {
                await StopAsync(shards).ConfigureAwait(false);
                return;
            }

            await EndAsync(shards).ConfigureAwait(false);
        }
    }

    private async Task<bool> ReadSlowlyAsync(Task<bool> reading)
    {
        var hasRow = await reading.ConfigureAwait(false);
        _isBroken = false;
        return hasRow;
    }

    // One that fails must not keep the connections of the others from being given back.
#pragma warning disable CA1031
    /// <summary>Ends results, each whatever becomes of the others.</summary>
    /// <param name="results">The results; of shards that failed there is none.</param>
    public static void End(IEnumerable<RelationalDataReader?> results)
    {
        Exception? first = null;
        foreach (var result in results)
        {
            try
            {
                result?.Dispose();
            }
            catch (Exception failure)
            {
                first ??= failure;
            }
        }

        if (first is not null)
        {
            ExceptionDispatchInfo.Throw(first);
        }
    }

    /// <inheritdoc cref="End" />
    public static async ValueTask EndAsync(IEnumerable<RelationalDataReader?> results)
    {
        var failures = await Synchrony.ForEachAsync([.. results.OfType<RelationalDataReader>()], static r => r.DisposeAsync(), async: true).ConfigureAwait(false);
        if (failures.Count > 0)
        {
            ExceptionDispatchInfo.Throw(failures[0]);
        }
    }

    /// <summary>Ends results of a query that has failed: shards are told to stop, where ending them alone would read what they still have to give.</summary>
    /// <param name="results">The results; of shards that failed there is none. What they fail with is no news any more.</param>
    public static void Stop(IEnumerable<RelationalDataReader?> results) =>
        Parallel.ForEach(results.OfType<RelationalDataReader>(), static result => Synchrony.Result(StopAsync(result, async: false)));

    /// <inheritdoc cref="Stop" />
    public static async ValueTask StopAsync(IEnumerable<RelationalDataReader?> results) =>
        await Task.WhenAll(results.OfType<RelationalDataReader>().Select(static result => Task.Run(() => StopAsync(result, async: true).AsTask()))).ConfigureAwait(false);

    // On a thread of its own: the driver connects to cancel, and knows only how to wait for that.
    private static async ValueTask StopAsync(RelationalDataReader result, bool async)
    {
        try
        {
            result.DbCommand.Cancel();
        }
        catch (Exception)
        {
            // Then it is read to its end.
        }

        try
        {
            if (async)
            {
                await result.DisposeAsync().ConfigureAwait(false);
            }
            else
            {
                result.Dispose();
            }
        }
        catch (Exception)
        {
            // The first failure is the one that counts.
        }
    }
#pragma warning restore CA1031
}
