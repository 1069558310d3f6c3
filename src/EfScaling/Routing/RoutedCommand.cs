using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

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
    private int? _secondsLeft;

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
        if (!router.TryBegin(Plan, parameterObject))
        {
            return base.ExecuteReader(parameterObject);
        }

        while (true)
        {
            var wait = router.Next();
            if (wait > TimeSpan.Zero)
            {
                ReadRouter.Wait(wait);
            }

            if (router.ReadConnection is not { } connection)
            {
                _secondsLeft = router.BeginOnPrimary();
                try
                {
                    return base.ExecuteReader(parameterObject);
                }
                catch
                {
                    router.FailedOnPrimary();
                    throw;
                }
                finally
                {
                    _secondsLeft = null;
                }
            }

            try
            {
                var reader = base.ExecuteReader(On(connection, parameterObject));
                if (!router.IsPartOfRead)
                {
                    connection.Answered();
                }

                return reader;
            }
            catch (Exception exception) when (router.MovesOn(exception, CancellationToken.None))
            {
                // The next node, or at last the primary.
            }
        }
    }

    /// <inheritdoc />
    public override Task<RelationalDataReader> ExecuteReaderAsync(RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken = default)
    {
        var router = RouterOf(parameterObject);
        return !router.TryBegin(Plan, parameterObject)
            ? base.ExecuteReaderAsync(parameterObject, cancellationToken)
            : ReadAwayAsync(router, parameterObject, cancellationToken);
    }

    /// <inheritdoc />
    public override DbCommand CreateDbCommand(RelationalCommandParameterObject parameterObject, Guid commandId, DbCommandMethod commandMethod)
    {
        var command = base.CreateDbCommand(parameterObject, commandId, commandMethod);
        if (_secondsLeft is { } seconds)
        {
            command.CommandTimeout = seconds;
        }

        if (RoutingExplanation.Current is { } explanation)
        {
            explanation.Text = RouterOf(parameterObject).Explain(Plan, parameterObject);
        }

        return command;
    }

    /// <inheritdoc />
    protected override RelationalDataReader CreateRelationalDataReader() => new RoutedDataReader();

    private async Task<RelationalDataReader> ReadAwayAsync(
        ReadRouter router,
        RelationalCommandParameterObject parameterObject,
        CancellationToken cancellationToken)
    {
        while (true)
        {
            var wait = router.Next();
            if (wait > TimeSpan.Zero)
            {
                await router.WaitAsync(wait, cancellationToken).ConfigureAwait(false);
            }

            if (router.ReadConnection is not { } connection)
            {
                return await ReadPrimaryAsync(router, parameterObject, cancellationToken).ConfigureAwait(false);
            }

            try
            {
                var reader = await base.ExecuteReaderAsync(On(connection, parameterObject), cancellationToken).ConfigureAwait(false);
                if (!router.IsPartOfRead)
                {
                    connection.Answered();
                }

                return reader;
            }
            catch (Exception exception) when (router.MovesOn(exception, cancellationToken))
            {
                // The next node, or at last the primary.
            }
        }
    }

    private async Task<RelationalDataReader> ReadPrimaryAsync(ReadRouter router, RelationalCommandParameterObject parameterObject, CancellationToken cancellationToken)
    {
        _secondsLeft = router.BeginOnPrimary();
        try
        {
            return await base.ExecuteReaderAsync(parameterObject, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            router.FailedOnPrimary();
            throw;
        }
        finally
        {
            _secondsLeft = null;
        }
    }

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
