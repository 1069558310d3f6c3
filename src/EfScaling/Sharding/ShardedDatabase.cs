using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Globalization;
using EfScaling.Sharding.Catalog;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace EfScaling.Sharding;

/// <summary>A model spread over shards: which table lives where, and which key on which shard.</summary>
/// <remarks>Thread-safe; shared by all contexts with equal settings and the same model.</remarks>
internal sealed class ShardedDatabase : IDisposable, IAsyncDisposable
{
    /// <param name="options">The settings.</param>
    /// <param name="model">The model.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="logger">Takes what happens to the maps.</param>
    /// <exception cref="InvalidOperationException">A map does not fit the shards or the keys; the message says what to change.</exception>
    public ShardedDatabase(ShardingOptions options, IModel model, TimeProvider clock, ILogger logger)
    {
        Options = options;
        DefaultShard = options.Default.Name;
        Model = ShardedModel.Of(model);
        RefuseTwins(options);
        Identities = new ShardIdentities(clock);
        Gate = new ScatterGate(options.ScatterBudget);
        string[] shards = [.. options.Shards.Select(s => s.Name)];
        Configured = new ShardPicture(Model.Keys.ToFrozenDictionary(k => k.Key, k => MapOf(k.Key, k.Value, shards)));
        Catalog = options.Catalog is { } catalog ? new ShardCatalog(catalog, Adopt, clock, logger) : null;
    }

    /// <summary>Gets the settings.</summary>
    public ShardingOptions Options { get; }

    /// <summary>Gets the name of the shard of all that is not sharded.</summary>
    public string DefaultShard { get; }

    /// <summary>Gets where the rows of each table live.</summary>
    public ShardedModel Model { get; }

    /// <summary>Gets the maps that the options say: with a catalog its first ones, without one those in use.</summary>
    public ShardPicture Configured { get; }

    /// <summary>Gets what is known of which database each shard is.</summary>
    public ShardIdentities Identities { get; }

    /// <summary>Gets what bounds how many parts of queries over several shards begin at the same time.</summary>
    public ScatterGate Gate { get; }

    /// <summary>Gets of each shard that was asked whether its database orders texts without a collation of their own by bytes.</summary>
    public ConcurrentDictionary<string, bool> OrdersByBytes { get; } = new(StringComparer.Ordinal);

    /// <summary>Gets the shards that were found able to take part in transactions over several shards: to prepare, and to decide.</summary>
    public ConcurrentDictionary<string, bool> CommitsWithOthers { get; } = new(StringComparer.Ordinal);

    /// <summary>Gets the catalog that the maps come from; <see langword="null"/> if they come from the options.</summary>
    public ShardCatalog? Catalog { get; }

    /// <summary>Gets the maps of the present moment. Whoever asks a second question about the same command must ask the same picture.</summary>
    /// <remarks>Loads them at first use unless <see cref="PrepareAsync"/> has.</remarks>
    /// <exception cref="InvalidOperationException">They cannot be loaded.</exception>
    public ShardPicture Picture => Catalog is null ? Configured : Catalog.Current ?? Catalog.Load();

    /// <summary>Loads the maps if they are not loaded.</summary>
    /// <exception cref="InvalidOperationException">They cannot be loaded.</exception>
    public ValueTask PrepareAsync(CancellationToken cancellationToken)
    {
        return Catalog is null or { Current: not null } ? ValueTask.CompletedTask : LoadAsync(Catalog);

        async ValueTask LoadAsync(ShardCatalog catalog) => await catalog.LoadAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Asks the catalog for the present maps, for work that goes by the same ones on all shards.</summary>
    /// <returns>The newest that are known; <see langword="null"/> without a catalog, or if there are none to be had.</returns>
    public async ValueTask<ShardPicture?> AskAsync(CancellationToken cancellationToken)
    {
        if (Catalog is null)
        {
            return null;
        }

        try
        {
            if (Catalog.Current is null)
            {
                await Catalog.LoadAsync(cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await Catalog.RefreshAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception is NpgsqlException or InvalidOperationException)
        {
            // The catalog may not be made yet. Of maps that are old, shards refuse what is not right any more.
        }

        return Catalog.Current;
    }

    /// <inheritdoc />
    public void Dispose() => Catalog?.Dispose();

    /// <inheritdoc />
    public ValueTask DisposeAsync() => Catalog?.DisposeAsync() ?? ValueTask.CompletedTask;

    // The picture of what the catalog says, if it fits to this process.
    private ShardPicture Adopt(CatalogReading reading)
    {
        var maps = new Dictionary<string, ShardMap>(StringComparer.Ordinal);
        var ownership = new Dictionary<string, MapOwnership>(StringComparer.Ordinal);
        string[] shards = [.. Options.Shards.Select(s => s.Name)];
        foreach (var (name, types) in Model.Keys)
        {
            var entry = reading.Maps.FirstOrDefault(m => m.Name == name)
                ?? throw new InvalidOperationException($"{Title(name)} is not in the catalog, but entities of the model are sharded by it. Call Database.CreateShardCatalogAsync() to add it.");
            maps[name] = MapOf(entry, Configured.Maps[name]);
            Check(name, maps[name], types, shards);
            ownership[name] = entry.Ownership;
        }

        return new ShardPicture(maps.ToFrozenDictionary(), ownership.ToFrozenDictionary(), reading.Epoch);
    }

    private static ShardMap MapOf(CatalogMap entry, ShardMap configured)
    {
        if (entry.Map is not { } map)
        {
            return configured.Fingerprint == entry.Fingerprint
                ? configured
                : throw new InvalidOperationException(
                    $"{Title(entry.Name)} is one of the application's own, and that of this process (version {configured.Version.ToString(CultureInfo.InvariantCulture)}, fingerprint {configured.Fingerprint}) is not the one in the catalog (version {entry.Version.ToString(CultureInfo.InvariantCulture)}, fingerprint {entry.Fingerprint}). Deploy the same map to all processes, and change it by Database.ChangeShardMapAsync(...).");
        }

        return configured.BucketCount == map.BucketCount || configured.BucketCount == 0 || map.BucketCount == 0
            ? map
            : throw new InvalidOperationException(string.Create(
                CultureInfo.InvariantCulture,
                $"{Title(entry.Name)} has {map.BucketCount} buckets in the catalog, by which rows have been placed, and {configured.BucketCount} in the options. The number can never change: call Buckets({map.BucketCount}) in UseSharding, or correct the map."));
    }

    // Those that are the same by another name are found when both are used.
    private static void RefuseTwins(ShardingOptions options)
    {
        var taken = new Dictionary<(NodeEndpoint Endpoint, string? Database), string>();
        foreach (var shard in options.Shards)
        {
            var connection = new NpgsqlConnectionStringBuilder(shard.DataSource?.ConnectionString ?? shard.ConnectionString);
            foreach (var endpoint in NodeEndpoint.Parse(connection).Distinct())
            {
                if (!taken.TryAdd((endpoint, connection.Database ?? connection.Username), shard.Name))
                {
                    throw new InvalidOperationException(
                        $"UseSharding leads the shards '{taken[(endpoint, connection.Database ?? connection.Username)]}' and '{shard.Name}' to the same database '{connection.Database}' on '{endpoint}'. Give each shard a database of its own in AddShard(...).");
                }
            }
        }
    }

    private ShardMap MapOf(string name, IReadOnlyList<ShardKeyType> types, string[] shards)
    {
        var map = Options.Maps.TryGetValue(name, out var create) ? create(shards) : new HashShardMap(shards, Options.Buckets, types);
        Check(name, map, types, shards);
        return map;
    }

    private static string Title(string name) => name.Length == 0 ? "The shard map" : $"The shard map '{name}'";

    private void Check(string name, ShardMap map, IReadOnlyList<ShardKeyType> types, string[] shards)
    {
        var title = Title(name);
        var unknown = map.Shards.Except(shards, StringComparer.Ordinal).ToList();
        if (unknown.Count > 0)
        {
            throw new InvalidOperationException($"{title} places keys on '{string.Join("', '", unknown)}', which UseSharding does not have. Call AddShard(...) for them, or correct the map.");
        }

        if (map.KeyTypes.Count > 0 && !map.KeyTypes.SequenceEqual(types.Take(map.KeyTypes.Count)))
        {
            throw new InvalidOperationException(
                $"{title} takes keys of type ({string.Join(", ", map.KeyTypes)}), and the model has keys of type ({string.Join(", ", types)}). Make the map for the model's keys, or store them as the map's types.");
        }

        if (Model.MapsOfIds.Contains(name) && map.BucketCount is 0 or > ShardedId.MaxBuckets)
        {
            throw new InvalidOperationException(
                $"{title} has {(map.BucketCount == 0 ? "no" : map.BucketCount)} buckets, and the ids that HasShardedId() makes carry the bucket, one of {ShardedId.MaxBuckets} at most. Use a HashShardMap of as many buckets, or let ids be of type Guid.");
        }
    }
}
