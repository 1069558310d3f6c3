using System.Data.Common;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Shards;

/// <summary>A context's connection to the primary of a shard that is not its own, for queries and writes alike.</summary>
/// <remarks>Not thread-safe, like the context it belongs to.</remarks>
internal sealed class ShardConnection(RelationalConnectionDependencies dependencies, DbDataSource source) : RelationalConnection(dependencies)
{
    /// <summary>Gets or sets the router of what runs on it.</summary>
    public ReadRouter Router { get; set; } = null!;

    /// <inheritdoc />
    public override string? ConnectionString
    {
        get => source.ConnectionString;
        set => throw new NotSupportedException("The connection string of a shard is fixed.");
    }

    /// <inheritdoc />
    protected override bool SupportsAmbientTransactions => true;

    /// <inheritdoc />
    protected override DbConnection CreateDbConnection()
    {
        // Of several hosts, the present primary.
        var connection = (Router.Cluster.PrimarySource ?? source).CreateConnection();
        Router.Watch(connection);
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
