using EfScaling.Replication;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>Names the node when a read breaks after its first row, and tells the cluster.</summary>
/// <remarks>The exception keeps its type, which applications catch; the node's name is in its <see cref="Exception.Data"/> and in the log.</remarks>
internal sealed class RoutedDataReader : RelationalDataReader
{
    /// <summary>The key under which a broken read's exception carries the node's name.</summary>
    public const string NodeKey = "EfScaling.Node";

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
