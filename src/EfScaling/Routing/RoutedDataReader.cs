using System.Data.Common;
using EfScaling.Caching;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>
/// Tells the session when a read on the primary answers, and the cache what it read; names the node when one breaks after its first row, and tells the cluster.
/// </summary>
/// <param name="session">Returns the session of the context that runs the command: commands and their readers serve one context after another.</param>
/// <remarks>The exception keeps its type, which applications catch; the node's name is in its <see cref="Exception.Data"/> and in the log.</remarks>
internal sealed class RoutedDataReader(Func<ContextSession> session) : RelationalDataReader
{
    /// <summary>The key under which a broken read's exception carries the node's name.</summary>
    public const string NodeKey = "EfScaling.Node";

    private CacheFill? _fill;
    private ContextWrites? _writes;
    private bool _isInDoubt;

    /// <summary>Records the rows from here on.</summary>
    public void Record(CacheFill fill) => _fill = fill;

    /// <summary>Publishes what the statement wrote, when it is done.</summary>
    public void Publish(ContextWrites writes) => _writes = writes;

    /// <inheritdoc />
    public override void Initialize(
        IRelationalConnection relationalConnection, DbCommand command, DbDataReader reader, Guid commandId, IRelationalCommandDiagnosticsLogger? logger)
    {
        (_fill, _writes, _isInDoubt) = (null, null, false);
        base.Initialize(relationalConnection, command, reader, commandId, logger);
        if (relationalConnection is not NodeConnection)
        {
            session().Answered();
        }
    }

    /// <inheritdoc />
    public override bool Read()
    {
        try
        {
            var hasRow = base.Read();
            Record(hasRow);
            return hasRow;
        }
        catch (Exception exception) when (Note(exception))
        {
            throw;
        }
    }

    /// <inheritdoc />
    public override Task<bool> ReadAsync(CancellationToken cancellationToken = default)
    {
        var reading = base.ReadAsync(cancellationToken);
        if (!reading.IsCompletedSuccessfully)
        {
            return ReadSlowlyAsync(reading);
        }

        if (_fill is { } fill)
        {
#pragma warning disable RS0030 // The task has completed: nothing blocks, and most rows need no state machine.
            Record(fill, reading.Result);
#pragma warning restore RS0030
        }

        return reading;
    }

    /// <inheritdoc />
    public override void Dispose()
    {
        if (_fill is { } fill)
        {
            _fill = null;
            try
            {
                while (fill.WantsMore)
                {
                    Record(fill, DbDataReader.Read());
                }
            }
            catch (Exception exception) when (exception is DbException or InvalidOperationException or OperationCanceledException)
            {
                // The application has what it wanted; that there is more to it than can be read is no business of its own.
            }

            fill.Drop(CacheOutcome.NotReadToEnd);
        }

        var (writes, connection) = (_writes, RelationalConnection);
        _writes = null;
        try
        {
            base.Dispose();
        }
        finally
        {
            if (_isInDoubt)
            {
                writes?.DoubtStatement(connection);
            }

            writes?.EndStatement(connection);
        }
    }

    /// <inheritdoc />
    public override async ValueTask DisposeAsync()
    {
        if (_fill is { } fill)
        {
            _fill = null;
            try
            {
                while (fill.WantsMore)
                {
                    Record(fill, await DbDataReader.ReadAsync().ConfigureAwait(false));
                }
            }
            catch (Exception exception) when (exception is DbException or InvalidOperationException or OperationCanceledException)
            {
                // As above.
            }

            fill.Drop(CacheOutcome.NotReadToEnd);
        }

        var (writes, connection) = (_writes, RelationalConnection);
        _writes = null;
        try
        {
            await base.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            if (writes is not null)
            {
                if (_isInDoubt)
                {
                    await writes.DoubtStatementAsync(connection).ConfigureAwait(false);
                }

                await writes.EndStatementAsync(connection).ConfigureAwait(false);
            }
        }
    }

    private async Task<bool> ReadSlowlyAsync(Task<bool> reading)
    {
        try
        {
            var hasRow = await reading.ConfigureAwait(false);
            Record(hasRow);
            return hasRow;
        }
        catch (Exception exception) when (Note(exception))
        {
            throw;
        }
    }

    private void Record(bool hasRow)
    {
        if (_fill is { } fill)
        {
            Record(fill, hasRow);
        }
    }

    private void Record(CacheFill fill, bool hasRow)
    {
        if (hasRow)
        {
            fill.Add(DbDataReader);
        }
        else
        {
            fill.Complete();
        }
    }

    private bool Note(Exception exception)
    {
        _isInDoubt |= _writes is not null && CommitDoubt.RemainsAfter(exception);
        _fill?.Drop(CacheOutcome.NotReadToEnd);
        if (RelationalConnection is not NodeConnection connection || exception is OperationCanceledException)
        {
            return false;
        }

        exception.Data[NodeKey] = connection.Node.Name;
        connection.Broke(exception);
        return true;
    }
}
