using EfScaling.Consistency;
using EfScaling.Routing.Shards;

namespace EfScaling.Routing.Fallback;

/// <summary>One context's way to the fallback coordinator: a PostgreSQL with the tables of all shards as foreign tables, which answers what the shards cannot answer together.</summary>
/// <param name="shards">The shards of the context, which spans all of them.</param>
/// <param name="home">The router of the context's own connection.</param>
/// <param name="connect">Makes the connection.</param>
/// <remarks>
/// Foreign tables read the primaries, so that a query sees all that was committed before it began. Not thread-safe, like the context. A pooled context keeps the connection, closed, for its next
/// lease.
/// </remarks>
internal sealed class FallbackCoordinator(ContextShards shards, ReadRouter home, Func<CoordinatorConnection> connect) : IDisposable, IAsyncDisposable
{
    private CoordinatorConnection? _connection;
    private ReadRouter[]? _shown;

    /// <summary>Gets the host and port of the coordinator.</summary>
    public string Name => Connection.Name;

    /// <summary>Gets the router of the context's own connection.</summary>
    public ReadRouter Home => home;

    /// <summary>Gets the shards of the context.</summary>
    public ContextShards Shards => shards;

    /// <summary>Gets the connection, on which nothing can be written.</summary>
    public CoordinatorConnection Connection => _connection ??= Connect();

    /// <summary>Gets why queries cannot be answered there now; <see langword="null"/> if they can.</summary>
    public string? Obstacle =>
        shards.IsGoverned ? "UseCatalog lets buckets move between shards, and it cannot prove which shard owns them"
        : home.Connection.CurrentTransaction is not null || OwnConnection.TransactionAround(home.Connection) is not null ? "a transaction is open, whose writes it does not see"
        : null;

    /// <summary>Gets whether no connection is open.</summary>
    public bool IsIdle => _connection is not { IsIdle: false };

    /// <summary>Notes that the rows of a query begin to come: the context must not go back behind what they show on any shard.</summary>
    public void NoteAnswer()
    {
        // Kept for the end of the query, when the context may be ending too.
        _shown = [.. shards.Routers()];
        NoteShown();
    }

    /// <summary>Closes the connection for the next lease of the context.</summary>
    public void Reset()
    {
        if (_connection is not null)
        {
            NodeConnections.Reset(_connection);
        }
    }

    /// <inheritdoc cref="Reset" />
    public Task ResetAsync(CancellationToken cancellationToken) =>
        _connection is null ? Task.CompletedTask : NodeConnections.ResetAsync(_connection, cancellationToken);

    /// <inheritdoc />
    public void Dispose() => _connection?.Dispose();

    /// <inheritdoc />
    public ValueTask DisposeAsync() => _connection?.DisposeAsync() ?? ValueTask.CompletedTask;

    private CoordinatorConnection Connect()
    {
        var connection = connect();
        connection.Closed = () =>
        {
            NoteShown();
            _shown = null;
        };
        return connection;
    }

    private void NoteShown()
    {
        foreach (var router in _shown ?? [])
        {
            if (!router.Cluster.Options.IsPrimaryAlone)
            {
                router.NoteShown(Moment.Now(router.Cluster.Clock));
            }
        }
    }
}
