namespace EfScaling.Sharding.Catalog;

/// <summary>Says how a process keeps up with the shard catalog: <c>UseCatalog(connectionString, c =&gt; c.CacheFile("/var/lib/shop/shards.json"))</c>.</summary>
/// <remarks>Each call returns the same builder. Not thread-safe; used only inside the configuring call.</remarks>
public sealed class ShardCatalogOptionsBuilder
{
    internal ShardCatalogOptionsBuilder(ShardCatalogOptions options) => Options = options;

    internal ShardCatalogOptions Options { get; private set; }

    /// <summary>Keeps the last known maps in a file, with which the application starts when the catalog is down.</summary>
    /// <param name="path">The file, whose folder exists and can be written. Processes of one application may share it. It holds the names of shards and pinned keys.</param>
    /// <remarks>A file that is old is no danger: shards refuse what they do not own any more.</remarks>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    public ShardCatalogOptionsBuilder CacheFile(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return With(Options with { CacheFile = path });
    }

    /// <summary>Sets how often the catalog is asked for changes that no notification has told of.</summary>
    /// <param name="interval">From 1 second to 1 day; 30 seconds by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The interval is outside of that.</exception>
    public ShardCatalogOptionsBuilder PollInterval(TimeSpan interval) =>
        interval >= TimeSpan.FromSeconds(1) && interval <= TimeSpan.FromDays(1)
            ? With(Options with { PollInterval = interval })
            : throw new ArgumentOutOfRangeException(nameof(interval), interval, "PollInterval is from 1 second to 1 day.");

    /// <summary>Keeps no connection on which the catalog tells of changes at once; for poolers that cannot LISTEN.</summary>
    /// <remarks>Changes are then found by asking every <see cref="PollInterval"/>, and by the first command that meets one.</remarks>
    public ShardCatalogOptionsBuilder WithoutNotifications() => With(Options with { Listens = false });

    private ShardCatalogOptionsBuilder With(ShardCatalogOptions options)
    {
        Options = options;
        return this;
    }
}
