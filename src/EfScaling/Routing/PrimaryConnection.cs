// EF's own connection of this provider is only to be had from its internal class, and is what EF makes the DbConnection of a context with (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using System.Data.Common;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql.EntityFrameworkCore.PostgreSQL.Storage.Internal;

namespace EfScaling.Routing;

/// <summary>A context's own connection, which finds the present primary each time it opens, and which the router watches.</summary>
/// <remarks>
/// No interceptor does this: with one of connections EF builds four event objects for each query (some 400 bytes), whatever it does with them. A connection
/// that an interceptor of the application has put in its place is watched from the first command on. Not thread-safe, like the context.
/// </remarks>
internal sealed class PrimaryConnection(RelationalConnectionDependencies dependencies, NpgsqlDataSourceManager dataSources, IDbContextOptions options)
    : NpgsqlRelationalConnection(dependencies, dataSources, options)
{
    /// <inheritdoc />
    protected override DbConnection CreateDbConnection()
    {
        var router = Context.GetService<ReadRouter>();
        var connection = router.CreatePrimaryConnection(ConnectionString) ?? base.CreateDbConnection();
        router.Watch(connection);
        return connection;
    }

    /// <inheritdoc />
    protected override void OpenDbConnection(bool errorsExpected)
    {
        base.OpenDbConnection(errorsExpected);
        ShardEncoding.Check(this);
    }

    /// <inheritdoc />
    protected override Task OpenDbConnectionAsync(bool errorsExpected, CancellationToken cancellationToken) =>
        ShardEncoding.CheckAsync(base.OpenDbConnectionAsync(errorsExpected, cancellationToken), this);
}
