// The provider's options have no public name (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using EfScaling.Replication;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

namespace EfScaling.Sharding;

/// <summary>One shard as the application named it.</summary>
/// <param name="Name">The name, by which maps and messages speak of it.</param>
/// <param name="ConnectionString">What leads to its primary; <see langword="null"/> if a data source does.</param>
/// <param name="DataSource">The application's data source to its primary.</param>
/// <param name="Replicas">The settings of its replicas; <see langword="null"/> if it has none.</param>
internal sealed record ShardDefinition(string Name, string? ConnectionString, NpgsqlDataSource? DataSource, ReplicaOptions? Replicas)
{
    /// <summary>Returns the provider's options of a context with the shard's connection in the place of its own.</summary>
    public NpgsqlOptionsExtension ProviderFrom(NpgsqlOptionsExtension provider)
    {
        var unconnected = (NpgsqlOptionsExtension)provider.WithConnection(null).WithConnectionString(ConnectionString);
        return DataSource is null ? unconnected : (NpgsqlOptionsExtension)unconnected.WithDataSource(DataSource);
    }

    /// <summary>Names the shard only: the connection string holds a password.</summary>
    public override string ToString() => $"shard '{Name}'";
}
