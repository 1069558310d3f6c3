using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>Gives a context a connection that finds the present primary each time it opens, and lets the router watch it.</summary>
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
        // The provider makes connections of its own to create databases.
        if (eventData.Context is { } context && context.GetService<IRelationalConnection>().ConnectionId == eventData.ConnectionId)
        {
            context.GetService<ReadRouter>().Watch(result);
        }

        return result;
    }
}
