using System.Data.Common;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>Tells the session when a read on the primary answers; names the node when one breaks after its first row, and tells the cluster.</summary>
/// <param name="session">Returns the session of the context that runs the command: commands and their readers serve one context after another.</param>
/// <remarks>The exception keeps its type, which applications catch; the node's name is in its <see cref="Exception.Data"/> and in the log.</remarks>
internal sealed class RoutedDataReader(Func<ContextSession> session) : RelationalDataReader
{
    /// <summary>The key under which a broken read's exception carries the node's name.</summary>
    public const string NodeKey = "EfScaling.Node";

    /// <inheritdoc />
    public override void Initialize(
        IRelationalConnection relationalConnection, DbCommand command, DbDataReader reader, Guid commandId, IRelationalCommandDiagnosticsLogger? logger)
    {
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
            return base.Read();
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
        return reading.IsCompletedSuccessfully ? reading : ReadSlowlyAsync(reading);
    }

    private async Task<bool> ReadSlowlyAsync(Task<bool> reading)
    {
        try
        {
            return await reading.ConfigureAwait(false);
        }
        catch (Exception exception) when (Note(exception))
        {
            throw;
        }
    }

    private bool Note(Exception exception)
    {
        if (RelationalConnection is not NodeConnection connection || exception is OperationCanceledException)
        {
            return false;
        }

        exception.Data[NodeKey] = connection.Node.Name;
        connection.Broke(exception);
        return true;
    }
}
