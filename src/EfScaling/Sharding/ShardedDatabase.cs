using System.Collections.Frozen;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore.Metadata;
using Npgsql;

namespace EfScaling.Sharding;

/// <summary>A model spread over shards: which table lives where, and which key on which shard.</summary>
/// <remarks>Thread-safe; shared by all contexts with equal settings and the same model.</remarks>
internal sealed class ShardedDatabase
{
    private readonly ShardPicture _configured;

    /// <param name="options">The settings.</param>
    /// <param name="model">The model.</param>
    /// <exception cref="InvalidOperationException">A map does not fit the shards or the keys; the message says what to change.</exception>
    public ShardedDatabase(ShardingOptions options, IModel model)
    {
        Options = options;
        Model = ShardedModel.Of(model);
        RefuseTwins(options);
        string[] shards = [.. options.Shards.Select(s => s.Name)];
        _configured = new ShardPicture(Model.Keys.ToFrozenDictionary(k => k.Key, k => MapOf(k.Key, k.Value, shards)));
    }

    /// <summary>Gets the settings.</summary>
    public ShardingOptions Options { get; }

    /// <summary>Gets where the rows of each table live.</summary>
    public ShardedModel Model { get; }

    /// <summary>Gets the maps of the present moment. Whoever asks a second question about the same command must ask the same picture.</summary>
    public ShardPicture Picture => _configured;

    /// <summary>Gets what is known of which database each shard is.</summary>
    public ShardIdentities Identities { get; } = new(TimeProvider.System);

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
        if (Model.MapsOfIds.Contains(name) && map.BucketCount is 0 or > ShardedId.MaxBuckets)
        {
            throw new InvalidOperationException(
                $"{Title(name)} has {(map.BucketCount == 0 ? "no" : map.BucketCount)} buckets, and the ids that HasShardedId() makes carry the bucket, one of {ShardedId.MaxBuckets} at most. Use a HashShardMap of as many buckets, or let ids be of type Guid.");
        }

        return map;
    }

    private static string Title(string name) => name.Length == 0 ? "The shard map" : $"The shard map '{name}'";

    private static void Check(string name, ShardMap map, IReadOnlyList<ShardKeyType> types, string[] shards)
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
    }
}
