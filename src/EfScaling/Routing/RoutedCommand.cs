using System.Data.Common;
using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Replication;
using EfScaling.Routing.Scatter;
using EfScaling.Routing.Shards;
using EfScaling.Routing.Transactions;
using EfScaling.Sharding.Catalog;
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
    private ReadRouter? _home;
    private ReadRouter? _router;
    private OwnershipClaim? _claim;
    private IReadOnlyList<NpgsqlParameter>? _inputs;

    /// <summary>Gets what translation found out about the query; <see langword="null"/> for commands that are no translated query.</summary>
    public QueryPlan? Plan { get; private set; }

    /// <summary>Gets what the cache knows of the query; <see langword="null"/> for commands that are no translated query, and without a cache.</summary>
    public CachedQuery? Query { get; private set; }

    /// <summary>Gets what the SQL says about shards; <see langword="null"/> for commands that EF did not translate, and without sharding.</summary>
    public ShardPlan? Shards { get; private set; }

    /// <summary>Gets how the query is answered from several shards; <see langword="null"/> for commands that are no query, and without sharding.</summary>
    public ScatterPlans? Scatter { get; private set; }

    /// <summary>Gets why a set-based write cannot be left to several shards, if it cannot; <see langword="null"/> for commands that are none, and without sharding.</summary>
    public Lazy<ScatterRefusal?>? Spread { get; private set; }

    /// <summary>Gets what <c>ExecuteUpdate</c> or <c>ExecuteDelete</c> writes; <see langword="null"/> for other commands.</summary>
    public WriteFacts? Written { get; private set; }

    /// <summary>Returns the command with its plan, and without the comment line that carried it.</summary>
    public RoutedCommand With(QueryPlan plan, string comment, QueryFacts? facts)
    {
        var text = WithoutComment(CommandText, comment);
        return new RoutedCommand(Dependencies, text, WithoutComment(LogCommandText, comment), Parameters)
        {
            Plan = plan,
            Shards = Shards,
            Scatter = Scatter,
            Query = facts is null ? null : new CachedQuery(plan.CacheHints, facts, text),
        };
    }

    /// <summary>Returns the command with what it writes.</summary>
    public RoutedCommand With(WriteFacts written) => new(Dependencies, CommandText, LogCommandText, Parameters) { Written = written, Shards = Shards, Spread = Spread };

    /// <summary>Returns the command with what its SQL says about shards.</summary>
    /// <param name="shards">What it says.</param>
    /// <param name="scatter">How it is answered from several; <see langword="null"/> if it is no query.</param>
    /// <param name="spread">Why it cannot be left to several; <see langword="null"/> if it is no set-based write.</param>
    public RoutedCommand With(ShardPlan shards, ScatterPlans? scatter, Lazy<ScatterRefusal?>? spread) =>
        new(Dependencies, CommandText, LogCommandText, Parameters) { Plan = Plan, Query = Query, Written = Written, Shards = shards, Scatter = scatter, Spread = spread };

    /// <summary>Returns the command as a part of a query over several shards.</summary>
    /// <param name="plan">What translation found out about the query.</param>
    /// <param name="shards">What the SQL of the part says about shards.</param>
    public RoutedCommand With(QueryPlan? plan, ShardPlan shards) => new(Dependencies, CommandText, LogCommandText, Parameters) { Plan = plan, Shards = shards };

    /// <summary>Returns the command of one run on one shard, as a part of a query over several.</summary>
    /// <param name="target">The shard.</param>
    /// <param name="inputs">The parameters with intermediate results.</param>
    public RoutedCommand For(ScatterTarget target, IReadOnlyList<NpgsqlParameter> inputs) =>
        new(Dependencies, CommandText, LogCommandText, Parameters) { Plan = Plan, Shards = Shards, _router = target.Router, _claim = target.Claim, _inputs = inputs };

    /// <summary>Runs the part of a query that <see cref="For"/> has made.</summary>
    /// <param name="parameterObject">How the query is run.</param>
    /// <param name="buffered">The columns of the part that are buffered; <see langword="null"/> if rows are read as they come.</param>
    public RelationalDataReader ReadPart(in RelationalCommandParameterObject parameterObject, IReadOnlyList<ReaderColumn?>? buffered)
    {
        try
        {
            return Read(_router!, On(_router!.Connection, parameterObject, buffered), Moment.Never);
        }
        catch (NpgsqlException exception) when (ShardConnectionException.Of(_router!.ShardName, exception) is { } named)
        {
            throw named;
        }
    }

    /// <inheritdoc cref="ReadPart" />
    public Task<RelationalDataReader> ReadPartAsync(
        in RelationalCommandParameterObject parameterObject, IReadOnlyList<ReaderColumn?>? buffered, CancellationToken cancellationToken) =>
        OnShard(_router!, ReadAsync(_router!, On(_router!.Connection, parameterObject, buffered), Moment.Never, cancellationToken));

    /// <summary>Returns the command of one run on the fallback coordinator.</summary>
    /// <param name="home">The router of the context's own connection.</param>
    public RoutedCommand ForCoordinator(ReadRouter home) => new(Dependencies, CommandText, LogCommandText, Parameters) { _router = home };

    /// <summary>Runs the query that <see cref="ForCoordinator"/> has made.</summary>
    /// <param name="coordinator">The connection to the coordinator.</param>
    /// <param name="parameterObject">How the query is run.</param>
    public RelationalDataReader ReadOn(IRelationalConnection coordinator, in RelationalCommandParameterObject parameterObject) =>
        base.ExecuteReader(On(coordinator, parameterObject, parameterObject.ReaderColumns));

    /// <inheritdoc cref="ReadOn" />
    public Task<RelationalDataReader> ReadOnAsync(IRelationalConnection coordinator, in RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken) =>
        base.ExecuteReaderAsync(On(coordinator, parameterObject, parameterObject.ReaderColumns), cancellationToken);

    /// <inheritdoc />
    public override void PopulateFrom(IRelationalCommandTemplate commandTemplate)
    {
        base.PopulateFrom(commandTemplate);
        _claim = null;
        var template = commandTemplate as RoutedCommand;
        (Plan, Query, Written) = (template?.Plan, template?.Query, template?.Written);
        (Shards, Scatter, Spread) = (template?.Shards, template?.Scatter, template?.Spread);
    }

    /// <inheritdoc />
    public override int ExecuteNonQuery(RelationalCommandParameterObject parameterObject) =>
        GovernedShards(parameterObject) is { } shards ? RepeatNonQuery(shards, parameterObject) : RunNonQuery(parameterObject);

    /// <inheritdoc />
    public override Task<int> ExecuteNonQueryAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default) =>
        GovernedShards(parameterObject) is { } shards
            ? RepeatNonQueryAsync(shards, parameterObject, cancellationToken)
            : RunNonQueryAsync(parameterObject, cancellationToken);

    // Methods of their own: what a closure needs would be allocated for every command, governed or not.
    private int RepeatNonQuery(ContextShards shards, RelationalCommandParameterObject parameterObject) =>
        MapRenewal.Run(shards, parameterObject.Connection, () => RunNonQuery(parameterObject));

    private Task<int> RepeatNonQueryAsync(ContextShards shards, RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken) =>
        MapRenewal.RunAsync(shards, parameterObject.Connection, () => RunNonQueryAsync(parameterObject, cancellationToken), cancellationToken);

    private RelationalDataReader RepeatReader(ContextShards shards, RelationalCommandParameterObject parameterObject) =>
        MapRenewal.Run(shards, parameterObject.Connection, () => RunReader(parameterObject));

    private Task<RelationalDataReader> RepeatReaderAsync(ContextShards shards, RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken) =>
        MapRenewal.RunAsync(shards, parameterObject.Connection, () => RunReaderAsync(parameterObject, cancellationToken), cancellationToken);

    private int RunNonQuery(RelationalCommandParameterObject parameterObject)
    {
        if (RouteWrite(ref parameterObject) is not { } router)
        {
            var targets = TargetsOfSpread(parameterObject, out var write);
            return write.Run(shard => WriteOn(targets[shard], parameterObject));
        }

        return router.Shards is { } shards && shards.WritesCopies(Shards)
            ? shards.CopiesFor(parameterObject.Connection).Run(shard => Write(shard, On(shard.Connection, parameterObject, readerColumns: null)))
            : Write(router, parameterObject);
    }

    private Task<int> RunNonQueryAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        if (RouteWrite(ref parameterObject) is not { } router)
        {
            var targets = TargetsOfSpread(parameterObject, out var write);
            return write.RunAsync(shard => WriteOnAsync(targets[shard], parameterObject, cancellationToken), cancellationToken);
        }

        return router.Shards is { } shards && shards.WritesCopies(Shards)
            ? shards.CopiesFor(parameterObject.Connection)
                .RunAsync(shard => WriteAsync(shard, On(shard.Connection, parameterObject, readerColumns: null), cancellationToken), cancellationToken)
            : WriteAsync(router, parameterObject, cancellationToken);
    }

    // The shards that a set-based write is left to, and the transaction over them.
    private Dictionary<ReadRouter, ScatterTarget> TargetsOfSpread(in RelationalCommandParameterObject parameterObject, out DistributedWrite write)
    {
        var shards = HomeOf(parameterObject.Connection.Context).Shards!;
        var concerned = new ScatterShards(shards, Shards!, parameterObject);
        if (Spread!.Value is { } refusal)
        {
            throw concerned.Refusal(refusal);
        }

        var targets = concerned.Targets();
        write = shards.WriteFor([.. targets.Select(t => t.Router.ShardName!)], parameterObject.Connection);
        return targets.ToDictionary(t => t.Router);
    }

    private int WriteOn(in ScatterTarget target, in RelationalCommandParameterObject parameterObject)
    {
        (_router, _claim) = (target.Router, target.Claim);
        CountCommand(target.Router, parameterObject.CommandSource);
        return Write(target.Router, On(target.Router.Connection, parameterObject, readerColumns: null));
    }

    private Task<int> WriteOnAsync(in ScatterTarget target, in RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        (_router, _claim) = (target.Router, target.Claim);
        CountCommand(target.Router, parameterObject.CommandSource);
        return WriteAsync(target.Router, On(target.Router.Connection, parameterObject, readerColumns: null), cancellationToken);
    }

    /// <inheritdoc />
    public override object? ExecuteScalar(RelationalCommandParameterObject parameterObject)
    {
        var router = Route(ref parameterObject);
        router.OnOtherCommand(parameterObject);
        try
        {
            return base.ExecuteScalar(parameterObject);
        }
        catch (NpgsqlException exception) when (ShardConnectionException.Of(router.ShardName, exception) is { } named)
        {
            throw named;
        }
    }

    /// <inheritdoc />
    public override Task<object?> ExecuteScalarAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        var router = Route(ref parameterObject);
        router.OnOtherCommand(parameterObject);
        return OnShard(router, base.ExecuteScalarAsync(parameterObject, cancellationToken));
    }

    /// <inheritdoc />
    public override RelationalDataReader ExecuteReader(RelationalCommandParameterObject parameterObject) =>
        GovernedShards(parameterObject) is { } shards ? RepeatReader(shards, parameterObject) : RunReader(parameterObject);

    private RelationalDataReader RunReader(RelationalCommandParameterObject parameterObject)
    {
        if (RouteRead(ref parameterObject) is not { } router)
        {
            return ScatterOf(parameterObject).Execute();
        }

        try
        {
            return ReadCached(router, parameterObject);
        }
        catch (NpgsqlException exception) when (ShardConnectionException.Of(router.ShardName, exception) is { } named)
        {
            throw named;
        }
    }

    /// <inheritdoc />
    public override Task<RelationalDataReader> ExecuteReaderAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default) =>
        GovernedShards(parameterObject) is { } shards
            ? RepeatReaderAsync(shards, parameterObject, cancellationToken)
            : RunReaderAsync(parameterObject, cancellationToken);

    private Task<RelationalDataReader> RunReaderAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        return RouteRead(ref parameterObject) is { } router
            ? OnShard(router, ReadCachedAsync(router, parameterObject, cancellationToken))
            : ScatterOf(parameterObject).ExecuteAsync(cancellationToken);
    }

    /// <summary>Runs the query, on whichever node may serve it.</summary>
    /// <param name="router">The context's router.</param>
    /// <param name="parameterObject">How it is run.</param>
    /// <param name="fillSince">Up to when a node must show everything if its rows are to be kept; <see cref="Moment.Never"/> if they are not.</param>
    public RelationalDataReader Read(ReadRouter router, in RelationalCommandParameterObject parameterObject, Moment fillSince)
    {
        if (router.TryBegin(Plan, parameterObject, fillSince) is not { } read)
        {
            return base.ExecuteReader(parameterObject);
        }

        while (true)
        {
            if (!read.TryFindReplica())
            {
                return ReadPrimary(read, parameterObject);
            }

            try
            {
                var reader = base.ExecuteReader(On(read.Connection!, parameterObject, parameterObject.ReaderColumns));
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
        }
    }

    /// <inheritdoc cref="Read" />
    public Task<RelationalDataReader> ReadAsync(
        ReadRouter router, in RelationalCommandParameterObject parameterObject, Moment fillSince, CancellationToken cancellationToken) =>
        router.TryBegin(Plan, parameterObject, fillSince) is { } read
            ? ReadAwayAsync(read, parameterObject, cancellationToken)
            : base.ExecuteReaderAsync(parameterObject, cancellationToken);

    /// <summary>Returns how a command is run on another connection, and for which of its columns.</summary>
    public static RelationalCommandParameterObject On(
        IRelationalConnection connection, in RelationalCommandParameterObject original, IReadOnlyList<ReaderColumn?>? readerColumns) =>
        new(
            connection,
            original.ParameterValues,
            readerColumns,
            original.Context,
            original.Logger,
            original.DetailedErrorsEnabled,
            original.CommandSource);

    /// <inheritdoc />
    public override DbCommand CreateDbCommand(RelationalCommandParameterObject parameterObject, Guid commandId, DbCommandMethod commandMethod)
    {
        var command = base.CreateDbCommand(parameterObject, commandId, commandMethod);
        if (RoutingExplanation.Current is { } explanation)
        {
            explanation.Text = ReadRouter.Of(parameterObject.Connection).Explain(this, parameterObject);
            return command;
        }

        if ((_claim ?? (parameterObject.CommandSource == CommandSource.SaveChanges ? RouterOf(parameterObject).ClaimFor(parameterObject.Connection) : null)) is { } claim)
        {
            claim.Prove(command, isRead: commandMethod == DbCommandMethod.ExecuteReader && parameterObject.CommandSource != CommandSource.SaveChanges);
        }

        if (_inputs is not null)
        {
            AddInputs(command);
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

    // Names the shard of a failure. Without shards, and for what is there already, it costs nothing.
    private static Task<T> OnShard<T>(ReadRouter router, Task<T> running)
    {
        return router.ShardName is null || running.IsCompletedSuccessfully ? running : NamedAsync(router.ShardName, running);

        static async Task<T> NamedAsync(string shard, Task<T> running)
        {
            try
            {
                return await running.ConfigureAwait(false);
            }
            catch (NpgsqlException exception) when (ShardConnectionException.Of(shard, exception) is { } named)
            {
                throw named;
            }
        }
    }

    private RelationalDataReader ReadCached(ReadRouter router, in RelationalCommandParameterObject parameterObject)
    {
        if (Query is null || router.Cache is not { } cache)
        {
            return Read(router, parameterObject, Moment.Never);
        }

        if (MayWriteUnseen && !router.IsInSnapshot)
        {
            return ReadAndPublish(router, cache, parameterObject);
        }

        return cache.TryBegin(Query, Plan!, Parameters, _claim, parameterObject) is not { } request ? Read(router, parameterObject, Moment.Never)
            : cache.FindLocal(request) is { } local ? new CachedDataReader(local)
            : new CachedRead(this, router, cache, request).Execute(parameterObject);
    }

    private Task<RelationalDataReader> ReadCachedAsync(ReadRouter router, in RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        if (Query is null || router.Cache is not { } cache)
        {
            return ReadAsync(router, parameterObject, Moment.Never, cancellationToken);
        }

        if (MayWriteUnseen && !router.IsInSnapshot)
        {
            return ReadAndPublishAsync(router, cache, parameterObject, cancellationToken);
        }

        return cache.TryBegin(Query, Plan!, Parameters, _claim, parameterObject) is not { } request ? ReadAsync(router, parameterObject, Moment.Never, cancellationToken)
            : cache.FindLocal(request) is { } local && !cancellationToken.IsCancellationRequested ? Task.FromResult<RelationalDataReader>(new CachedDataReader(local))
            : new CachedRead(this, router, cache, request).ExecuteAsync(parameterObject, cancellationToken);
    }

    private int Write(ContextWrites writes, in RelationalCommandParameterObject parameterObject)
    {
        writes.BeginStatement();
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

    private int Write(ReadRouter router, in RelationalCommandParameterObject parameterObject)
    {
        router.OnOtherCommand(parameterObject);
        try
        {
            return router.Writes is { } writes && writes.TryNote(this, parameterObject.CommandSource)
                ? Write(writes, parameterObject)
                : base.ExecuteNonQuery(parameterObject);
        }
        catch (NpgsqlException exception) when (ShardConnectionException.Of(router.ShardName, exception) is { } named)
        {
            throw named;
        }
    }

    private Task<int> WriteAsync(ReadRouter router, in RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        router.OnOtherCommand(parameterObject);
        return OnShard(router, router.Writes is { } writes && writes.TryNote(this, parameterObject.CommandSource)
            ? WriteAsync(writes, parameterObject, cancellationToken)
            : base.ExecuteNonQueryAsync(parameterObject, cancellationToken));
    }

    private async Task<int> WriteAsync(ContextWrites writes, RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        await writes.BeginStatementAsync().ConfigureAwait(false);
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

    // It holds SQL or functions of the application that are not known to only read. Without an obstacle, every function in it is declared to.
    private bool MayWriteUnseen => Query is { MayWriteUnseen: true } && Plan is { Obstacle: not null, Hints.Target: not ReadTarget.Replica };

    private RelationalDataReader ReadAndPublish(ReadRouter router, ContextCache cache, in RelationalCommandParameterObject parameterObject)
    {
        var writes = NoteUnseenWrite(router, cache);
        writes.BeginStatement();
        try
        {
            var reader = Read(router, parameterObject, Moment.Never);
            ((RoutedDataReader)reader).Publish(writes);
            return reader;
        }
        catch (Exception exception)
        {
            if (CommitDoubt.RemainsAfter(exception))
            {
                writes.DoubtStatement(parameterObject.Connection);
            }

            writes.EndStatement(parameterObject.Connection);
            throw;
        }
    }

    private async Task<RelationalDataReader> ReadAndPublishAsync(
        ReadRouter router, ContextCache cache, RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        var writes = NoteUnseenWrite(router, cache);
        await writes.BeginStatementAsync().ConfigureAwait(false);
        try
        {
            var reader = await ReadAsync(router, parameterObject, Moment.Never, cancellationToken).ConfigureAwait(false);
            ((RoutedDataReader)reader).Publish(writes);
            return reader;
        }
        catch (Exception exception)
        {
            if (CommitDoubt.RemainsAfter(exception))
            {
                await writes.DoubtStatementAsync(parameterObject.Connection).ConfigureAwait(false);
            }

            await writes.EndStatementAsync(parameterObject.Connection).ConfigureAwait(false);
            throw;
        }
    }

    private ContextWrites NoteUnseenWrite(ReadRouter router, ContextCache cache)
    {
        cache.RefuseUnseenWrite(Query!);
        router.Writes!.NoteSql(CommandText);
        return router.Writes!;
    }

    private async Task<RelationalDataReader> ReadAwayAsync(RoutedRead read, RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (!await read.TryFindReplicaAsync(cancellationToken).ConfigureAwait(false))
            {
                return await ReadPrimaryAsync(read, parameterObject, cancellationToken).ConfigureAwait(false);
            }

            try
            {
                var reader = await base.ExecuteReaderAsync(On(read.Connection!, parameterObject, parameterObject.ReaderColumns), cancellationToken).ConfigureAwait(false);
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

    // What finds the shard of a command that its shard must own the rows of.
    private ContextShards? GovernedShards(in RelationalCommandParameterObject parameterObject) =>
        Shards is { NeedsOwnership: true } && HomeOf(parameterObject.Connection.Context).Shards is { IsGoverned: true } shards ? shards : null;

    // Each run has parameters of its own, of which a command takes possession.
    private void AddInputs(DbCommand command)
    {
        if (command is not NpgsqlCommand own)
        {
            throw new InvalidOperationException(
                $"A command of a query over several shards was replaced by a '{command.GetType().Name}', which cannot carry intermediate results. Do not replace commands in interceptors.");
        }

        foreach (var input in _inputs!)
        {
            own.Parameters.Add(input.Clone());
        }
    }

    // The router of the shard that the command concerns, and its connection in the place of the context's own.
    private ReadRouter Route(ref RelationalCommandParameterObject parameterObject) => Route(ref parameterObject, mayScatter: false)!;

    // Nothing if the query is to be answered from several shards.
    private ReadRouter? RouteRead(ref RelationalCommandParameterObject parameterObject) => Route(ref parameterObject, mayScatter: Scatter is not null);

    // Nothing if the write is to be left to several shards.
    private ReadRouter? RouteWrite(ref RelationalCommandParameterObject parameterObject) => Route(ref parameterObject, mayScatter: Spread is not null);

    private ReadRouter? Route(ref RelationalCommandParameterObject parameterObject, bool mayScatter)
    {
        (_router, _claim) = (null, null);
        var router = RouterOf(parameterObject);
        if (Shards is not null && router.Shards is { } shards)
        {
            _router = shards.FindRouter(Shards, parameterObject, Plan?.Hints.Shard, mayScatter, out _claim);
            if (_router is null)
            {
                return null;
            }

            if (!ReferenceEquals(_router, router))
            {
                parameterObject = On(_router.Connection, parameterObject, parameterObject.ReaderColumns);
                router.NoteElsewhere(_router);
            }
        }
        else
        {
            router.Shards?.RefuseLost();
        }

        CountCommand(_router!, parameterObject.CommandSource);
        return _router!;
    }

    private ScatterRead ScatterOf(in RelationalCommandParameterObject parameterObject) => new(HomeOf(parameterObject.Connection.Context), Shards!, Scatter!, parameterObject);

    /// <summary>Counts a command that a shard runs.</summary>
    public static void CountCommand(ReadRouter router, CommandSource source)
    {
        if (ShardingMeter.CountsCommands && router.ShardName is { } shard)
        {
            ShardingMeter.CountCommand(shard, KindOf(source));
        }
    }

    private static string KindOf(CommandSource source) => source switch
    {
        CommandSource.LinqQuery or CommandSource.FromSqlQuery => "query",
        CommandSource.SaveChanges => "save",
        CommandSource.ExecuteUpdate or CommandSource.ExecuteDelete => "bulk",
        CommandSource.ExecuteSqlRaw => "sql",
        _ => "other",
    };

    // Parts of the command run on connections to nodes, which belong to its router.
    private ReadRouter RouterOf(in RelationalCommandParameterObject parameterObject) =>
        _router ??= parameterObject.Connection is ShardConnection shard ? shard.Router : HomeOf(parameterObject.Connection.Context);

    // A command is rented by one context after another when contexts are pooled.
    private ReadRouter HomeOf(DbContext context)
    {
        if (_home is null || !ReferenceEquals(_context, context))
        {
            (_context, _home) = (context, context.GetService<ReadRouter>());
        }

        return _home;
    }
}
