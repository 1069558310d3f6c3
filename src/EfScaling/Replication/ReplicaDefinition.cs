using Npgsql;

namespace EfScaling.Replication;

/// <summary>One replica as the application named it: by connection string or by data source.</summary>
internal sealed record ReplicaDefinition(string? ConnectionString, NpgsqlDataSource? DataSource, string? Region, double Weight)
{
    /// <summary>Names the region only: the connection string holds a password.</summary>
    public override string ToString() => $"replica in region '{Region}'";
}
