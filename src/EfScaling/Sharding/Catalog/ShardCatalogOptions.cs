using Npgsql;

namespace EfScaling.Sharding.Catalog;

/// <summary>The settings of <c>UseCatalog</c>. Immutable.</summary>
internal sealed record ShardCatalogOptions
{
    /// <summary>Gets what leads to the catalog; <see langword="null"/> if a data source does.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>Gets the application's data source to the catalog.</summary>
    public NpgsqlDataSource? DataSource { get; init; }

    /// <summary>Gets the file that keeps the last known maps; <see langword="null"/> for none.</summary>
    public string? CacheFile { get; init; }

    /// <summary>Gets how often the catalog is asked for changes that no notification has told of.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Gets whether a connection is kept on which the catalog tells of changes at once.</summary>
    public bool Listens { get; init; } = true;

    /// <summary>Names nothing: the connection string holds a password.</summary>
    public override string ToString() => "shard catalog";
}
