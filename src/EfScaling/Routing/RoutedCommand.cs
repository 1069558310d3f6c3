using System.Data.Common;
using EfScaling.Caching;
using EfScaling.Caching.Rows;
using EfScaling.Consistency;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.Routing;

/// <summary>A command that finds its node before any connection is opened.</summary>
/// <remarks>
/// EF executes everything through commands of this type: LINQ queries may run on a replica's connection, everything else runs as EF meant it. Reads that
/// fail on a replica before their first row go on to another node here, below EF's execution strategy, which would wait seconds.
/// </remarks>
internal sealed class RoutedCommand(
    RelationalCommandBuilderDependencies dependencies,
    string commandText,
    string logCommandText,
    IReadOnlyList<IRelationalParameter> parameters) : RelationalCommand(dependencies, commandText, logCommandText, parameters)
{
    private DbContext? _context;
    private ReadRouter? _router;

    /// <summary>Gets what translation found out about the query; <see langword="null"/> for commands that are no translated query.</summary>
    public QueryPlan? Plan { get; private set; }

    /// <summary>Gets what the cache knows of the query; <see langword="null"/> for commands that are no translated query, and without a cache.</summary>
    public CachedQuery? Query { get; private set; }

    /// <summary>Gets what <c>ExecuteUpdate</c> or <c>ExecuteDelete</c> writes; <see langword="null"/> for other commands.</summary>
    public WriteFacts? Written { get; private set; }

    /// <summary>Returns the command with its plan, and without the comment line that carried it.</summary>
    public RoutedCommand With(QueryPlan plan, string comment, QueryFacts? facts)
    {
        var text = WithoutComment(CommandText, comment);
        return new RoutedCommand(Dependencies, text, WithoutComment(LogCommandText, comment), Parameters)
        {
            Plan = plan,
            Query = facts is null ? null : new CachedQuery(plan.CacheHints, facts, text),
        };
    }

    /// <summary>Returns the command with what it writes.</summary>
    public RoutedCommand With(WriteFacts written) => new(Dependencies, CommandText, LogCommandText, Parameters) { Written = written };

    /// <inheritdoc />
    public override void PopulateFrom(IRelationalCommandTemplate commandTemplate)
    {
        base.PopulateFrom(commandTemplate);
        var template = commandTemplate as RoutedCommand;
        (Plan, Query, Written) = (template?.Plan, template?.Query, template?.Written);
    }

    /// <inheritdoc />
    public override int ExecuteNonQuery(RelationalCommandParameterObject parameterObject)
    {
        var router = RouterOf(parameterObject);
        router.OnOtherCommand(parameterObject);
        if (router.BeginWrite(this, parameterObject) is not { } writes)
        {
            return base.ExecuteNonQuery(parameterObject);
        }

        writes.Prepare();
        writes.Announce();
        writes.Confirm();
        writes.Begin();
        try
        {
            return base.ExecuteNonQuery(parameterObject);
        }
        catch (Exception exception) when (CommitDoubt.RemainsAfter(exception))
        {
            writes.DoubtStatement(parameterObject.Connection);
            throw;
        }
        finally
        {
            writes.EndStatement(parameterObject.Connection);
        }
    }

    /// <inheritdoc />
    public override Task<int> ExecuteNonQueryAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        var router = RouterOf(parameterObject);
        router.OnOtherCommand(parameterObject);
        return router.BeginWrite(this, parameterObject) is { } writes
            ? WriteAsync(writes, parameterObject, cancellationToken)
            : base.ExecuteNonQueryAsync(parameterObject, cancellationToken);
    }

    /// <inheritdoc />
    public override object? ExecuteScalar(RelationalCommandParameterObject parameterObject)
    {
        RouterOf(parameterObject).OnOtherCommand(parameterObject);
        return base.ExecuteScalar(parameterObject);
    }

    /// <inheritdoc />
    public override Task<object?> ExecuteScalarAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        RouterOf(parameterObject).OnOtherCommand(parameterObject);
        return base.ExecuteScalarAsync(parameterObject, cancellationToken);
    }

    /// <inheritdoc />
    public override RelationalDataReader ExecuteReader(RelationalCommandParameterObject parameterObject)
    {
        var router = RouterOf(parameterObject);
        if (router.BeginUnseenWrite(this, parameterObject) is { } writes)
        {
            writes.Prepare();
            writes.Announce();
            writes.Confirm();
            return PublishAfter(Read(router, parameterObject, Moment.Never), writes);
        }

        return router.Cache is { } cache && cache.TryBegin(Query, Plan, Parameters, parameterObject) is { } request
            ? ReadThrough(router, cache, request, parameterObject)
            : Read(router, parameterObject, Moment.Never);
    }

    private RelationalDataReader ReadThrough(ReadRouter router, ContextCache cache, CacheRequest request, in RelationalCommandParameterObject parameterObject)
    {
        if (cache.FindLocal(request) is { } local)
        {
            return new CachedDataReader(local);
        }

        var mark = cache.Shared.Versions.Mark(Moment.Now(cache.Shared.Clock));
        var verdict = cache.Judge(request, cache.Shared.Store.Read(request.State.KeyOfResult(request.Key), request.Versions), mark);
        if (verdict.Rows is { } rows)
        {
            return new CachedDataReader(rows);
        }

        if (!verdict.IsFillable)
        {
            return Read(router, parameterObject, Moment.Never);
        }

        var flight = cache.Shared.Flights.Join(request.Key, verdict.Stamp, out var isOwn);
        if (!isOwn && flight.Wait(Flights.Patience) is { } joined)
        {
            return new CachedDataReader(cache.Joined(joined));
        }

        if (FindLanded(cache, request, verdict.Stamp, isOwn ? flight : null) is { } landed)
        {
            return new CachedDataReader(landed);
        }

        // Only the asynchronous path waits for other processes: there is no lease to be had without a round trip.
        var fill = new CacheFill(cache.Shared, request, verdict.Stamp, isOwn ? flight : null, isLeased: false);
        try
        {
            return parameterObject.ReaderColumns is null
                ? Record(router, fill, Read(router, parameterObject, verdict.Since))
                : Load(router, request, fill, parameterObject, verdict.Since);
        }
        catch
        {
            fill.Drop(CacheOutcome.NotReadToEnd);
            throw;
        }
    }

    private async Task<RelationalDataReader> ReadThroughAsync(
        ReadRouter router, ContextCache cache, CacheRequest request, RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        var mark = cache.Shared.Versions.Mark(Moment.Now(cache.Shared.Clock));
        var reading = await cache.Shared.Store.ReadAsync(request.State.KeyOfResult(request.Key), request.Versions, cancellationToken).ConfigureAwait(false);
        var verdict = cache.Judge(request, reading, mark);
        if (verdict.Rows is { } rows)
        {
            return new CachedDataReader(rows);
        }

        if (!verdict.IsFillable)
        {
            return await ReadAsync(router, parameterObject, Moment.Never, cancellationToken).ConfigureAwait(false);
        }

        var flight = cache.Shared.Flights.Join(request.Key, verdict.Stamp, out var isOwn);
        if (!isOwn && await flight.WaitAsync(PatienceFor(request), cache.Shared.Clock, cancellationToken).ConfigureAwait(false) is { } joined)
        {
            return new CachedDataReader(cache.Joined(joined));
        }

        if (FindLanded(cache, request, verdict.Stamp, isOwn ? flight : null) is { } landed)
        {
            return new CachedDataReader(landed);
        }

        var (loaded, isLeased) = request.Query.Hints.IsExpensive && isOwn
            ? await cache.Shared.AwaitOtherProcessAsync(request, verdict.Stamp, cancellationToken).ConfigureAwait(false)
            : (null, false);
        var fill = new CacheFill(cache.Shared, request, verdict.Stamp, isOwn ? flight : null, isLeased);
        if (loaded is not null)
        {
            fill.Join(loaded);
            return new CachedDataReader(cache.Joined(loaded));
        }

        try
        {
            return parameterObject.ReaderColumns is null
                ? Record(router, fill, await ReadAsync(router, parameterObject, verdict.Since, cancellationToken).ConfigureAwait(false))
                : await LoadAsync(router, request, fill, parameterObject, verdict.Since, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            fill.Drop(CacheOutcome.NotReadToEnd);
            throw;
        }
    }

    // Whoever loads an expensive result first waits for other processes, as long as the usual patience; those who wait for it must not give up with it.
    private static TimeSpan PatienceFor(CacheRequest request) => request.Query.Hints.IsExpensive ? Flights.Patience * 2 : Flights.Patience;

    // A load may have ended between the store's answer, or the end of patience, and this one's begin.
    private static RowSet? FindLanded(ContextCache cache, CacheRequest request, UInt128 stamp, Flight? flight)
    {
        var landed = cache.FindLoaded(request, stamp);
        if (landed is not null && flight is not null)
        {
            cache.Shared.Flights.Land(request.Key, stamp, flight, landed);
        }

        return landed;
    }

    // EF buffers results while it sends another command, and of the columns only those that it reads. Here the rows are the buffer.
    private RelationalDataReader Load(ReadRouter router, CacheRequest request, CacheFill fill, in RelationalCommandParameterObject parameterObject, Moment since)
    {
        RowSet? rows;
        CacheOutcome? refusal;
        using (var reader = Read(router, On(parameterObject.Connection, parameterObject, readerColumns: null), since))
        {
            refusal = RefusalOf(router, reader);
            rows = fill.Load(reader);
        }

        if (rows is not null)
        {
            End(fill, rows, refusal);
            return new CachedDataReader(rows);
        }

        fill.Drop(CacheOutcome.TooLarge);
        request.Query.IsTooLarge = true;
        return Read(router, parameterObject, Moment.Never);
    }

    private async Task<RelationalDataReader> LoadAsync(
        ReadRouter router, CacheRequest request, CacheFill fill, RelationalCommandParameterObject parameterObject, Moment since, CancellationToken cancellationToken)
    {
        RowSet? rows;
        CacheOutcome? refusal;
        var reader = await ReadAsync(router, On(parameterObject.Connection, parameterObject, readerColumns: null), since, cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            refusal = RefusalOf(router, reader);
            rows = await fill.LoadAsync(reader, cancellationToken).ConfigureAwait(false);
        }

        if (rows is not null)
        {
            End(fill, rows, refusal);
            return new CachedDataReader(rows);
        }

        fill.Drop(CacheOutcome.TooLarge);
        request.Query.IsTooLarge = true;
        return await ReadAsync(router, parameterObject, Moment.Never, cancellationToken).ConfigureAwait(false);
    }

    private static void End(CacheFill fill, RowSet rows, CacheOutcome? refusal)
    {
        if (refusal is { } why)
        {
            fill.Drop(why);
        }
        else
        {
            fill.Complete(rows);
        }
    }

    private RelationalDataReader Record(ReadRouter router, CacheFill fill, RelationalDataReader reader)
    {
        if (RefusalOf(router, reader) is { } why)
        {
            fill.Drop(why);
        }
        else
        {
            ((RoutedDataReader)reader).Record(fill);
        }

        return reader;
    }

    // Why what a reader gives may not be kept.
    private CacheOutcome? RefusalOf(ReadRouter router, RelationalDataReader reader) =>
        // What an interceptor of the application made of the SQL is not what the key stands for; a statement in front, such as SET, is enough.
        !(reader.DbCommand is GuardedCommand guarded ? guarded.IsUnchanged : reader.DbCommand.CommandText == CommandText) ? CacheOutcome.NotCacheable
        : router.MayFill(reader) ? null
        : CacheOutcome.NodeBehind;

    private RelationalDataReader Read(ReadRouter router, in RelationalCommandParameterObject parameterObject, Moment fillSince)
    {
        if (router.TryBegin(Plan, parameterObject, fillSince) is not { } read)
        {
            return base.ExecuteReader(parameterObject);
        }

        while (true)
        {
            switch (read.Next())
            {
                case ReadStep.Wait:
                    ReadRouter.Wait(read.Pause);
                    break;
                case ReadStep.LearnPosition:
                    router.Cluster.PositionSince(read.PositionSince);
                    break;
                case ReadStep.RunOnPrimary:
                    return ReadPrimary(read, parameterObject);
                default:
                    try
                    {
                        var reader = base.ExecuteReader(On(read.Connection!, parameterObject));
                        if (!IsBehind(reader))
                        {
                            read.Answered();
                            return reader;
                        }

                        reader.Dispose();
                        read.WasBehind();
                    }
                    catch (Exception exception) when (read.MovesOn(exception, CancellationToken.None))
                    {
                        // The next node, or at last the primary.
                    }

                    break;
            }
        }
    }

    /// <inheritdoc />
    public override Task<RelationalDataReader> ExecuteReaderAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        var router = RouterOf(parameterObject);
        if (router.BeginUnseenWrite(this, parameterObject) is { } writes)
        {
            return ReadAndPublishAsync(router, writes, parameterObject, cancellationToken);
        }

        if (router.Cache is not { } cache || cache.TryBegin(Query, Plan, Parameters, parameterObject) is not { } request)
        {
            return ReadAsync(router, parameterObject, Moment.Never, cancellationToken);
        }

        return cache.FindLocal(request) is { } local && !cancellationToken.IsCancellationRequested
            ? Task.FromResult<RelationalDataReader>(new CachedDataReader(local))
            : ReadThroughAsync(router, cache, request, parameterObject, cancellationToken);
    }

    private Task<RelationalDataReader> ReadAsync(
        ReadRouter router, in RelationalCommandParameterObject parameterObject, Moment fillSince, CancellationToken cancellationToken) =>
        router.TryBegin(Plan, parameterObject, fillSince) is { } read
            ? ReadAwayAsync(router, read, parameterObject, cancellationToken)
            : base.ExecuteReaderAsync(parameterObject, cancellationToken);

    private async Task<RelationalDataReader> ReadAndPublishAsync(
        ReadRouter router, ContextWrites writes, RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        await writes.PrepareAsync().ConfigureAwait(false);
        writes.Announce();
        await writes.ConfirmAsync().ConfigureAwait(false);
        return PublishAfter(await ReadAsync(router, parameterObject, Moment.Never, cancellationToken).ConfigureAwait(false), writes);
    }

    private static RelationalDataReader PublishAfter(RelationalDataReader reader, ContextWrites writes)
    {
        ((RoutedDataReader)reader).Publish(writes);
        return reader;
    }

    private async Task<int> WriteAsync(ContextWrites writes, RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        await writes.PrepareAsync().ConfigureAwait(false);
        writes.Announce();
        await writes.ConfirmAsync().ConfigureAwait(false);
        writes.Begin();
        try
        {
            return await base.ExecuteNonQueryAsync(parameterObject, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (CommitDoubt.RemainsAfter(exception))
        {
            await writes.DoubtStatementAsync(parameterObject.Connection).ConfigureAwait(false);
            throw;
        }
        finally
        {
            await writes.EndStatementAsync(parameterObject.Connection).ConfigureAwait(false);
        }
    }

    /// <inheritdoc />
    public override DbCommand CreateDbCommand(RelationalCommandParameterObject parameterObject, Guid commandId, DbCommandMethod commandMethod)
    {
        var command = base.CreateDbCommand(parameterObject, commandId, commandMethod);
        if (RoutingExplanation.Current is { } explanation)
        {
            explanation.Text = RouterOf(parameterObject).Explain(Plan, Query, parameterObject);
            return command;
        }

        if (Plan is null || commandMethod != DbCommandMethod.ExecuteReader)
        {
            return command;
        }

        var read = RouterOf(parameterObject).Read;
        if (read.SecondsLeft is { } seconds)
        {
            command.CommandTimeout = seconds;
        }

        return ReferenceEquals(read.Connection, parameterObject.Connection) && read.IsGuarded
            ? Guarded(command, read, parameterObject)
            : command;
    }

    /// <inheritdoc />
    protected override RelationalDataReader CreateRelationalDataReader() => new RoutedDataReader(() => _router!.Session);

    private async Task<RelationalDataReader> ReadAwayAsync(
        ReadRouter router,
        RoutedRead read,
        RelationalCommandParameterObject parameterObject,
        CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (read.Next())
            {
                case ReadStep.Wait:
                    await router.WaitAsync(read.Pause, cancellationToken).ConfigureAwait(false);
                    break;
                case ReadStep.LearnPosition:
                    await router.Cluster.PositionSinceAsync(read.PositionSince, cancellationToken).ConfigureAwait(false);
                    break;
                case ReadStep.RunOnPrimary:
                    return await ReadPrimaryAsync(read, parameterObject, cancellationToken).ConfigureAwait(false);
                default:
                    try
                    {
                        var reader = await base.ExecuteReaderAsync(On(read.Connection!, parameterObject), cancellationToken).ConfigureAwait(false);
                        if (!IsBehind(reader))
                        {
                            read.Answered();
                            return reader;
                        }

                        await reader.DisposeAsync().ConfigureAwait(false);
                        read.WasBehind();
                    }
                    catch (Exception exception) when (read.MovesOn(exception, cancellationToken))
                    {
                        // The next node, or at last the primary.
                    }

                    break;
            }
        }
    }

    private RelationalDataReader ReadPrimary(RoutedRead read, RelationalCommandParameterObject parameterObject)
    {
        read.BeginOnPrimary();
        try
        {
            var reader = base.ExecuteReader(parameterObject);
            read.EndOnPrimary();
            return reader;
        }
        catch (Exception exception) when (read.FailedOnPrimary(exception) is { } explained)
        {
            throw explained;
        }
    }

    private async Task<RelationalDataReader> ReadPrimaryAsync(RoutedRead read, RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        read.BeginOnPrimary();
        try
        {
            var reader = await base.ExecuteReaderAsync(parameterObject, cancellationToken).ConfigureAwait(false);
            read.EndOnPrimary();
            return reader;
        }
        catch (Exception exception) when (read.FailedOnPrimary(exception) is { } explained)
        {
            throw explained;
        }
    }

    private static GuardedCommand Guarded(DbCommand command, RoutedRead read, in RelationalCommandParameterObject parameterObject)
    {
        if (command is not NpgsqlCommand query)
        {
            // An interceptor has put another command in its place, which cannot carry the guard.
            throw new NodeRejectedException(read.Connection!.Node.Name, Freshness.BehindCaller);
        }

        var guarded = new GuardedCommand(query, read.Guard, read.ServerWait, parameterObject.ReaderColumns?.Count ?? 0);
        query.Dispose();
        return guarded;
    }

    private static bool IsBehind(RelationalDataReader reader) => reader.DbCommand is GuardedCommand { IsBehind: true };

    private static RelationalCommandParameterObject On(IRelationalConnection connection, in RelationalCommandParameterObject original) =>
        On(connection, original, original.ReaderColumns);

    private static RelationalCommandParameterObject On(
        IRelationalConnection connection, in RelationalCommandParameterObject original, IReadOnlyList<ReaderColumn?>? readerColumns) =>
        new(
            connection,
            original.ParameterValues,
            readerColumns,
            original.Context,
            original.Logger,
            original.DetailedErrorsEnabled,
            original.CommandSource);

    private static string WithoutComment(string text, string comment)
    {
        var start = text.IndexOf(comment, StringComparison.Ordinal);
        if (start < 0)
        {
            return text;
        }

        var rest = text[(start + comment.Length)..];
        rest = rest[(rest.IndexOf('\n', StringComparison.Ordinal) + 1)..];
        return start > 0 ? text[..start] + rest : rest.TrimStart('\r', '\n');
    }

    // A command is rented by one context after another when contexts are pooled.
    private ReadRouter RouterOf(in RelationalCommandParameterObject parameterObject)
    {
        // The connection always knows its context; EF leaves it out of the parameters of commands that it only builds or that generate keys.
        var context = parameterObject.Connection.Context;
        if (_router is null || !ReferenceEquals(_context, context))
        {
            _context = context;
            _router = context.GetService<ReadRouter>();
        }

        return _router;
    }
}
