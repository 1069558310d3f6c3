using System.Data.Common;
using EfScaling.Caching;
using EfScaling.Caching.Rows;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>Records the rows of a query while the application reads them, and keeps them when they are complete.</summary>
/// <remarks>Nothing that goes wrong here reaches the application. Not thread-safe; one reader uses it.</remarks>
internal sealed class CacheFill(QueryCache cache, CacheRequest request, in CacheVerdict verdict, Flight? flight, bool isLeased)
{
    // An application that stops early has mostly read all there is: EF reads one row for First(), and not the end behind it.
    private const int MaxRowsToEnd = 100;

    private readonly UInt128 _stamp = verdict.Stamp;
    private readonly Moment _askedAt = verdict.AskedAt;
    private readonly RowRecorder _recorder = new(request.Schema, new RowLimits(cache.Options.MaxResultRows, cache.Options.MaxResultBytes));
    private readonly long _startedAt = cache.Clock.GetTimestamp();
    private int _rowsToEnd = MaxRowsToEnd;
    private LoadTurn? _turn;

    /// <summary>Gets why the rows are not kept; <see langword="null"/> while they may be.</summary>
    public CacheOutcome? Refusal { get; private set; }

    /// <summary>Gets whether it still takes rows.</summary>
    public bool IsOpen { get; private set; } = true;

    /// <summary>Gets whether reading on to the end is still worth it, for a result whose application has stopped.</summary>
    public bool WantsMore => IsOpen && _rowsToEnd-- > 0;

    /// <summary>Gets whether there is a turn to load the rows: without one they are not kept.</summary>
    public bool HasTurn => _turn is not null;

    /// <summary>Takes the turn to load the rows, which is given back when they are read.</summary>
    /// <param name="turn">The turn; <see langword="null"/> if none came in time.</param>
    public void Take(LoadTurn? turn) => _turn = turn;

    /// <summary>Begins to read the rows.</summary>
    /// <returns>Whether anybody needs them: the cache, or those who wait for them.</returns>
    public bool TryBegin()
    {
        if (!HasTurn && flight is null)
        {
            Drop(CacheOutcome.TooManyLoads);
        }

        return IsOpen;
    }

    /// <summary>Notes that the application reads the rows at its own pace.</summary>
    public void Stream()
    {
        // To load an expensive result twice is worse than to wait for a slow application.
        if (flight is not null && !request.Query.Hints.IsExpensive)
        {
            cache.Flights.Stream(request.Key, _stamp, flight);
        }
    }

    /// <summary>Records the reader's present row.</summary>
    public void Add(DbDataReader reader)
    {
        if (!IsOpen)
        {
            return;
        }

        try
        {
            if (!_recorder.Add(reader))
            {
                Drop(CacheOutcome.TooLarge);
            }
        }
        catch (Exception exception) when (exception is InvalidCastException or InvalidOperationException or NotSupportedException or DbException)
        {
            // The column is not of the type that its mapping said.
            Drop(CacheOutcome.NotCacheable);
        }
    }

    /// <summary>Keeps the rows: there are no more.</summary>
    public void Complete()
    {
        if (!IsOpen)
        {
            return;
        }

        if (End() is { } rows)
        {
            Complete(rows);
        }
    }

    /// <summary>Records what a reader gives.</summary>
    /// <returns>All rows; <see langword="null"/> if they are too large, or not what the query said.</returns>
    public RowSet? Load(RelationalDataReader reader)
    {
        while (IsOpen && reader.Read())
        {
            Add(reader.DbDataReader);
        }

        return End();
    }

    /// <inheritdoc cref="Load" />
    public async Task<RowSet?> LoadAsync(RelationalDataReader reader, CancellationToken cancellationToken)
    {
        while (IsOpen && await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            Add(reader.DbDataReader);
        }

        return End();
    }

    /// <summary>Keeps rows.</summary>
    public void Complete(RowSet rows)
    {
        IsOpen = false;
        _turn?.Dispose();
        QueryCacheMeter.RecordLoad(cache.Clock.GetElapsedTime(_startedAt));
        if (!HasTurn)
        {
            QueryCacheMeter.CountRefusedFill(nameof(CacheOutcome.TooManyLoads));
            Release();
        }
        else if (!cache.IsWriteUnderWay(request.Versions))
        {
            cache.Keep(request, _stamp, _askedAt, rows, isLeased);
        }
        else
        {
            Release();
        }

        Land(rows);
    }

    /// <summary>Hands on what another reader has loaded meanwhile.</summary>
    public void Join(RowSet rows)
    {
        IsOpen = false;
        _turn?.Dispose();
        Land(rows);
        Release();
    }

    /// <summary>Drops the rows.</summary>
    /// <param name="why">Why they are not kept.</param>
    public void Drop(CacheOutcome why)
    {
        if (!IsOpen)
        {
            return;
        }

        IsOpen = false;
        _turn?.Dispose();
        Refusal = why;
        QueryCacheMeter.CountRefusedFill(why.ToString());
        Land(null);
        Release();
    }

    private RowSet? End()
    {
        if (!IsOpen)
        {
            return null;
        }

        if (_recorder.Complete() is { } rows)
        {
            return rows;
        }

        // A value that would not come back as it was.
        Drop(CacheOutcome.NotCacheable);
        return null;
    }

    private void Land(RowSet? rows)
    {
        if (flight is not null)
        {
            cache.Flights.Land(request.Key, _stamp, flight, rows);
        }
    }

    private void Release()
    {
        if (isLeased)
        {
            _ = cache.Store.ReleaseAsync(request.State.KeyOfLease(request.Key), CancellationToken.None).AsTask();
        }
    }
}
