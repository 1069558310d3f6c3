using System.Data.Common;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>Gives a context a connection that finds the present primary each time it opens, lets the router watch it, and refuses shards that are no UTF8 databases.</summary>
/// <remarks>Connections to replicas are no business of this interceptor: they are made by the router and raise no creation events.</remarks>
internal sealed class PrimaryConnectionInterceptor : DbConnectionInterceptor
{
    /// <inheritdoc />
    public override InterceptionResult<DbConnection> ConnectionCreating(ConnectionCreatingEventData eventData, InterceptionResult<DbConnection> result) =>
        !result.HasResult && eventData.Context?.GetService<ReadRouter>().CreatePrimaryConnection(eventData.ConnectionString) is { } connection
            ? InterceptionResult<DbConnection>.SuppressWithResult(connection)
            : result;

    /// <inheritdoc />
    public override DbConnection ConnectionCreated(ConnectionCreatedEventData eventData, DbConnection result)
    {
        if (OwnOf(eventData.Context, eventData.ConnectionId) is { } own)
        {
            ReadRouter.Of(own).Watch(result);
        }

        return result;
    }

    /// <inheritdoc />
    public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData)
    {
        if (ShardEncoding.OtherOf(connection) is not null && OwnOf(eventData.Context, eventData.ConnectionId) is { } own)
        {
            ShardEncoding.Check(own);
        }
    }

    /// <inheritdoc />
    public override Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        ConnectionOpened(connection, eventData);
        return Task.CompletedTask;
    }

    // The provider makes connections of its own to create databases, and the router to other nodes.
    private static IRelationalConnection? OwnOf(DbContext? context, Guid connectionId) =>
        context?.GetService<IRelationalConnection>() is { } own && own.ConnectionId == connectionId ? own : null;
}
