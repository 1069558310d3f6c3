using EfScaling.Caching;
using EfScaling.Caching.Rows;
using EfScaling.Consistency;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>A query that the memory of this process did not answer: the store answers it, or its command reads the rows and they are kept.</summary>
/// <remarks>The versions are read before the rows are. Not thread-safe, like the context.</remarks>
internal sealed class CachedRead(RoutedCommand command, ReadRouter router, ContextCache cache, CacheRequest request)
{
    private QueryCache Shared => cache.Shared;

    // Whoever loads an expensive result first waits for other processes; those who wait for it must not give up with it.
    private TimeSpan Patience => request.Query.Hints.IsExpensive ? QueryCache.PatienceWithOthers + Flights.Patience : Flights.Patience;

    /// <summary>Runs the query.</summary>
    public RelationalDataReader Execute(in RelationalCommandParameterObject parameters)
    {
        var mark = Shared.Versions.Mark(Moment.Now(Shared.Clock));
        var verdict = cache.Judge(request, Shared.Store.Read(request.State.KeyOfResult(request.Key), request.Versions), mark);
        if (verdict.Rows is { } rows)
        {
            return new CachedDataReader(rows);
        }

        try
        {
            return ReadMissing(verdict, parameters);
        }
        catch (Exception exception) when (router.IsUnreachable(exception))
        {
            if (FindWhenDown(verdict) is { } old)
            {
                return new CachedDataReader(old);
            }

            throw;
        }
    }

    private RelationalDataReader ReadMissing(in CacheVerdict verdict, in RelationalCommandParameterObject parameters)
    {
        if (!verdict.IsFillable)
        {
            return command.Read(router, parameters, Moment.Never);
        }

        var flight = Shared.Flights.Join(request.Key, verdict.Stamp, out var isOwn);
        if (!isOwn && cache.FindOld(request, command.Plan!) is { } old)
        {
            return new CachedDataReader(old);
        }

        if (!isOwn && flight.Wait(Patience) is { } joined)
        {
            return new CachedDataReader(cache.Joined(request, joined));
        }

        if (FindLanded(verdict.Stamp, isOwn ? flight : null) is { } landed)
        {
            return new CachedDataReader(landed);
        }

        // Only the asynchronous path waits for other processes: there is no lease to be had without a round trip.
        var fill = new CacheFill(Shared, request, verdict, isOwn ? flight : null, isLeased: false);
        try
        {
            fill.Take(cache.TakeTurn());
            return FindLoaded(fill, verdict) is { } loaded ? new CachedDataReader(loaded)
                : !TryBegin(fill, verdict) ? command.Read(router, parameters, Moment.Never)
                : parameters.ReaderColumns is null ? Record(fill, command.Read(router, parameters, verdict.Since))
                : Load(fill, parameters, verdict.Since);
        }
        catch
        {
            fill.Drop(CacheOutcome.NotReadToEnd);
            throw;
        }
    }

    /// <inheritdoc cref="Execute" />
    public async Task<RelationalDataReader> ExecuteAsync(RelationalCommandParameterObject parameters, CancellationToken cancellationToken)
    {
        var mark = Shared.Versions.Mark(Moment.Now(Shared.Clock));
        var reading = await Shared.Store.ReadAsync(request.State.KeyOfResult(request.Key), request.Versions, cancellationToken).ConfigureAwait(false);
        var verdict = cache.Judge(request, reading, mark);
        if (verdict.Rows is { } rows)
        {
            return new CachedDataReader(rows);
        }

        try
        {
            return await ReadMissingAsync(verdict, parameters, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (router.IsUnreachable(exception))
        {
            if (FindWhenDown(verdict) is { } old)
            {
                return new CachedDataReader(old);
            }

            throw;
        }
    }

    private async Task<RelationalDataReader> ReadMissingAsync(CacheVerdict verdict, RelationalCommandParameterObject parameters, CancellationToken cancellationToken)
    {
        if (!verdict.IsFillable)
        {
            return await command.ReadAsync(router, parameters, Moment.Never, cancellationToken).ConfigureAwait(false);
        }

        var flight = Shared.Flights.Join(request.Key, verdict.Stamp, out var isOwn);
        if (!isOwn && cache.FindOld(request, command.Plan!) is { } old)
        {
            return new CachedDataReader(old);
        }

        if (!isOwn && await flight.WaitAsync(Patience, Shared.Clock, cancellationToken).ConfigureAwait(false) is { } joined)
        {
            return new CachedDataReader(cache.Joined(request, joined));
        }

        if (FindLanded(verdict.Stamp, isOwn ? flight : null) is { } landed)
        {
            return new CachedDataReader(landed);
        }

        var (loaded, isLeased) = request.Query.Hints.IsExpensive && isOwn
            ? await AwaitOtherProcessAsync(verdict.Stamp, flight, cancellationToken).ConfigureAwait(false)
            : (null, false);
        var fill = new CacheFill(Shared, request, verdict, isOwn ? flight : null, isLeased);
        if (loaded is not null)
        {
            fill.Join(loaded);
            return new CachedDataReader(cache.Joined(request, loaded));
        }

        try
        {
            fill.Take(await cache.TakeTurnAsync(cancellationToken).ConfigureAwait(false));
            return FindLoaded(fill, verdict) is { } meanwhile ? new CachedDataReader(meanwhile)
                : !TryBegin(fill, verdict) ? await command.ReadAsync(router, parameters, Moment.Never, cancellationToken).ConfigureAwait(false)
                : parameters.ReaderColumns is null ? Record(fill, await command.ReadAsync(router, parameters, verdict.Since, cancellationToken).ConfigureAwait(false))
                : await LoadAsync(fill, parameters, verdict.Since, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            fill.Drop(CacheOutcome.NotReadToEnd);
            throw;
        }
    }

    // Another schema, or another life of the store: what this process has kept is of the one before.
    private RowSet? FindWhenDown(in CacheVerdict verdict) => verdict.Outcome == CacheOutcome.Starting ? null : cache.FindWhenDown(request, command.Plan!);

    // Others may have loaded the same while this one waited for its turn.
    private RowSet? FindLoaded(CacheFill fill, in CacheVerdict verdict)
    {
        var loaded = cache.FindLoaded(request, verdict.Stamp);
        if (loaded is not null)
        {
            fill.Join(loaded);
        }

        return loaded;
    }

    private bool TryBegin(CacheFill fill, in CacheVerdict verdict)
    {
        cache.BeginLoad(request, fill.HasTurn ? verdict.Outcome : CacheOutcome.TooManyLoads);
        return fill.TryBegin();
    }

    private async ValueTask<(RowSet? Rows, bool IsLeased)> AwaitOtherProcessAsync(UInt128 stamp, Flight flight, CancellationToken cancellationToken)
    {
        try
        {
            return await Shared.AwaitOtherProcessAsync(request, stamp, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            // Those who wait for this one must not wait for nothing.
            Shared.Flights.Land(request.Key, stamp, flight, rows: null);
            throw;
        }
    }

    // A load may have ended between the store's answer, or the end of patience, and this one's begin.
    private RowSet? FindLanded(UInt128 stamp, Flight? flight)
    {
        var landed = cache.FindLoaded(request, stamp);
        if (landed is not null && flight is not null)
        {
            Shared.Flights.Land(request.Key, stamp, flight, landed);
        }

        return landed;
    }

    // EF buffers results while it sends another command, and of the columns only those that it reads. Here the rows are the buffer.
    private RelationalDataReader Load(CacheFill fill, in RelationalCommandParameterObject parameters, Moment since)
    {
        RowSet? rows;
        CacheOutcome? refusal;
        using (var reader = command.Read(router, RoutedCommand.On(parameters.Connection, parameters, readerColumns: null), since))
        {
            refusal = RefusalOf(reader);
            rows = fill.Load(reader);
        }

        return TryEnd(fill, rows, refusal) ? new CachedDataReader(rows!) : command.Read(router, parameters, Moment.Never);
    }

    private async Task<RelationalDataReader> LoadAsync(CacheFill fill, RelationalCommandParameterObject parameters, Moment since, CancellationToken cancellationToken)
    {
        RowSet? rows;
        CacheOutcome? refusal;
        var all = RoutedCommand.On(parameters.Connection, parameters, readerColumns: null);
        var reader = await command.ReadAsync(router, all, since, cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            refusal = RefusalOf(reader);
            rows = await fill.LoadAsync(reader, cancellationToken).ConfigureAwait(false);
        }

        return TryEnd(fill, rows, refusal)
            ? new CachedDataReader(rows!)
            : await command.ReadAsync(router, parameters, Moment.Never, cancellationToken).ConfigureAwait(false);
    }

    private bool TryEnd(CacheFill fill, RowSet? rows, CacheOutcome? refusal)
    {
        if (rows is null)
        {
            if (fill.Refusal == CacheOutcome.TooLarge)
            {
                Shared.TooLarge.Add(request.Key, request.TimeToLive);
            }
            else
            {
                Shared.ReportNotCacheable(request.Query, new CacheDecision(CacheOutcome.NotCacheable, "a value of the result is not what its column says, or would not survive being kept"));
            }

            return false;
        }

        if (refusal is { } why)
        {
            fill.Drop(why);
        }
        else
        {
            fill.Complete(rows);
        }

        return true;
    }

    private RelationalDataReader Record(CacheFill fill, RelationalDataReader reader)
    {
        if (RefusalOf(reader) is { } why)
        {
            fill.Drop(why);
        }
        else
        {
            ((RoutedDataReader)reader).Record(fill);
            fill.Stream();
        }

        return reader;
    }

    // Why what a reader gives may not be kept.
    private CacheOutcome? RefusalOf(RelationalDataReader reader) =>
        // What an interceptor of the application made of the SQL is not what the key stands for; a statement in front, such as SET, is enough.
        !(reader.DbCommand is GuardedCommand guarded ? guarded.IsUnchanged : reader.DbCommand.CommandText == command.CommandText) ? CacheOutcome.NotCacheable
        : router.MayFill(reader) ? null
        : CacheOutcome.NodeBehind;
}
