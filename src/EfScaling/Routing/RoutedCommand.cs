using System.Data.Common;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
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

    /// <summary>Returns the command with its plan, and without the comment line that carried it.</summary>
    public RoutedCommand With(QueryPlan plan, string comment) =>
        new(Dependencies, WithoutComment(CommandText, comment), WithoutComment(LogCommandText, comment), Parameters) { Plan = plan };

    /// <inheritdoc />
    public override void PopulateFrom(IRelationalCommandTemplate commandTemplate)
    {
        base.PopulateFrom(commandTemplate);
        Plan = (commandTemplate as RoutedCommand)?.Plan;
    }

    /// <inheritdoc />
    public override int ExecuteNonQuery(RelationalCommandParameterObject parameterObject)
    {
        RouterOf(parameterObject).OnOtherCommand(parameterObject);
        return base.ExecuteNonQuery(parameterObject);
    }

    /// <inheritdoc />
    public override Task<int> ExecuteNonQueryAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        RouterOf(parameterObject).OnOtherCommand(parameterObject);
        return base.ExecuteNonQueryAsync(parameterObject, cancellationToken);
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
        if (router.TryBegin(Plan, parameterObject) is not { } read)
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
        return router.TryBegin(Plan, parameterObject) is { } read
            ? ReadAwayAsync(router, read, parameterObject, cancellationToken)
            : base.ExecuteReaderAsync(parameterObject, cancellationToken);
    }

    /// <inheritdoc />
    public override DbCommand CreateDbCommand(RelationalCommandParameterObject parameterObject, Guid commandId, DbCommandMethod commandMethod)
    {
        var command = base.CreateDbCommand(parameterObject, commandId, commandMethod);
        if (RoutingExplanation.Current is { } explanation)
        {
            explanation.Text = RouterOf(parameterObject).Explain(Plan, parameterObject);
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
        new(
            connection,
            original.ParameterValues,
            original.ReaderColumns,
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
