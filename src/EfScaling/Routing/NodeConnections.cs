using EfScaling.Replication;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>The connections of one context to the nodes of its cluster, each made when it is first needed.</summary>
/// <remarks>Not thread-safe, like the context. A pooled context keeps them, closed, for its next lease.</remarks>
internal sealed class NodeConnections(IServiceProvider services, Cluster cluster) : IDisposable, IAsyncDisposable
{
    private readonly NodeConnection?[] _byOrdinal = new NodeConnection?[cluster.Nodes.Count];
    private RelationalConnectionDependencies? _dependencies;
    private NodeConnection? _last;

    /// <summary>Gets the connection of the newest read while that is under way; <see langword="null"/> when it has ended.</summary>
    public NodeConnection? InUse => _last is { IsLeased: true } ? _last : null;

    /// <summary>Gets whether no read is under way and no connection open.</summary>
    public bool IsIdle
    {
        get
        {
            foreach (var connection in _byOrdinal)
            {
                if (connection is { IsIdle: false })
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>Returns the connection to a node.</summary>
    public NodeConnection To(Node node) =>
        _last = _byOrdinal[node.Ordinal] ??= new NodeConnection(_dependencies ??= NodeConnectionDependencies.Create(services, cluster), node, cluster);

    /// <summary>Closes all of them.</summary>
    public void Reset()
    {
        foreach (var connection in _byOrdinal)
        {
            connection?.Abandon();
        }

        _last = null;
    }

    /// <inheritdoc cref="Reset" />
    public async Task ResetAsync(CancellationToken cancellationToken)
    {
        foreach (var connection in _byOrdinal)
        {
            if (connection is not null)
            {
                await ResetAsync(connection, cancellationToken).ConfigureAwait(false);
            }
        }

        _last = null;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var connection in _byOrdinal)
        {
            connection?.Dispose();
            connection?.Release();
        }
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        foreach (var connection in _byOrdinal)
        {
            if (connection is not null)
            {
                await connection.DisposeAsync().ConfigureAwait(false);
                connection.Release();
            }
        }
    }

    /// <summary>Sets right what EF's asynchronous reset leaves behind of a connection that was closed before.</summary>
    /// <inheritdoc cref="ResetAsync(IResettableService, CancellationToken)" path="/remarks" />
    public static void Reset(IRelationalConnection closed) => (closed as IResettableService)?.ResetState();

    /// <summary>Closes a connection of EF and sets right what that leaves behind.</summary>
    /// <remarks>
    /// EF's asynchronous reset closes a connection that was left open but goes on counting it as open, so that the next lease would never close it again
    /// (RelationalConnection.ResetStateAsync, EF Core 10). The synchronous reset sets the count right; there is nothing left to close.
    /// </remarks>
    public static async Task ResetAsync(IResettableService connection, CancellationToken cancellationToken)
    {
        await connection.ResetStateAsync(cancellationToken).ConfigureAwait(false);
        connection.ResetState();
    }
}
