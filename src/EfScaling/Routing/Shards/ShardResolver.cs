using System.Collections.Immutable;
using System.Globalization;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;

namespace EfScaling.Routing.Shards;

/// <summary>Finds the shards that a command concerns, from its plan and the values of its parameters.</summary>
/// <remarks>Immutable and thread-safe.</remarks>
internal sealed class ShardResolver(string defaultShard)
{
    // More values than this are worth no looking up: they are on all shards.
    private const int MostKeys = 10_000;

    /// <summary>Finds the shards.</summary>
    /// <param name="picture">The maps.</param>
    /// <param name="plan">What the SQL says.</param>
    /// <param name="parameters">The values of the parameters as EF keeps them.</param>
    /// <param name="claim">Takes what the shard must own; <see langword="null"/> without a catalog.</param>
    public ShardChoice Resolve(ShardPicture picture, ShardPlan plan, IReadOnlyDictionary<string, object?> parameters, OwnershipClaim? claim)
    {
        var unknown = plan.Opaque;
        var found = new Found(claim);
        foreach (var table in plan.Tables)
        {
            if (!table.IsKnown)
            {
                unknown ??= $"nothing says which {string.Join(", ", table.Table.Key.IsEmpty ? table.Table.Ids.Select(c => c.Property.Name) : table.Table.Key.Select(c => c.Property.Name))} the rows of '{table.Name}' have";
                claim?.Add(table.Table.Map, MapOwnership.WholeShard);
            }
            else if (table.Table.Placement == TablePlacement.DefaultShard)
            {
                found.Add(defaultShard);
            }
            else if (table.Bucket is { } bucket)
            {
                AddShardsOf(picture.Maps[table.Table.Map], table.Table.Map, BucketsOf(picture.Maps[table.Table.Map], bucket, parameters), ref found);
            }
            else
            {
                AddShardsOf(picture.Maps[table.Table.Map], table, parameters, ref found);
            }
        }

        return new ShardChoice(found.Several is null ? found.Single : null, found.Several, unknown);
    }

    /// <summary>Returns the keys that the rows of a table can have.</summary>
    /// <param name="table">A table whose rows' keys are certain.</param>
    /// <param name="parameters">The values of the parameters as EF keeps them.</param>
    /// <returns>None if no row can have them; <see langword="null"/> if they are too many to look up.</returns>
    public static IReadOnlyList<ShardKey>? KeysOf(PlacedTable table, IReadOnlyDictionary<string, object?> parameters) => KeysOf(table.Table.Key, table.Key, parameters);

    /// <summary>Returns the buckets that rows can be in.</summary>
    /// <param name="map">The map of their table.</param>
    /// <param name="bucket">What tells them.</param>
    /// <param name="parameters">The values of the parameters as EF keeps them.</param>
    /// <returns>None if no row can be there; <see langword="null"/> if they are too many to look up, or the map has none.</returns>
    public static IReadOnlyList<int>? BucketsOf(ShardMap map, BucketTerms bucket, IReadOnlyDictionary<string, object?> parameters)
    {
        if (map.BucketCount == 0)
        {
            return null;
        }

        if (!bucket.Key.IsEmpty)
        {
            return KeysOf(bucket.Table.Key, bucket.Key, parameters)?.Select(k => map.BucketOf(k)!.Value).Distinct().ToList();
        }

        // A number that no row's id can be is in none.
        var ids = ValuesOf(bucket.Ids, parameters);
        return ids.Count > MostKeys ? null : [.. ids.Select(i => Convert.ToInt64(i, CultureInfo.InvariantCulture)).Where(i => i >= 0).Select(ShardedId.BucketOf).Where(b => b < map.BucketCount).Distinct()];
    }

    private static List<ShardKey>? KeysOf(ImmutableArray<ShardKeyColumn> columns, ImmutableArray<ImmutableArray<KeyTerm>> terms, IReadOnlyDictionary<string, object?> parameters)
    {
        var values = terms.Select(t => ValuesOf(t, parameters)).ToList();
        if (values.Aggregate(1L, (product, v) => product * v.Count) > MostKeys)
        {
            return null;
        }

        var keys = new List<ShardKey>();
        AddCombinations(columns, values, [], keys);
        return keys;
    }

    private static void AddShardsOf(ShardMap map, PlacedTable table, IReadOnlyDictionary<string, object?> parameters, ref Found found)
    {
        var columns = table.Key;
        if (columns is [[{ IsMany: false } only]])
        {
            if (TryMakeKey(table.Table.Key[0].Type, only.ValueIn(parameters), out var key))
            {
                found.Add(map, table.Table.Map, key);
            }

            return;
        }

        if (KeysOf(table, parameters) is not { } keys)
        {
            found.AddAll(map, table.Table.Map);
            return;
        }

        foreach (var key in keys)
        {
            found.Add(map, table.Table.Map, key);
        }
    }

    // Single keys of a bucket may be placed elsewhere, and then several shards are concerned.
    private static void AddShardsOf(ShardMap map, string name, IReadOnlyList<int>? buckets, ref Found found)
    {
        if (buckets is null)
        {
            found.AddAll(map, name);
            return;
        }

        foreach (var bucket in buckets)
        {
            foreach (var shard in map.ShardsOfBucket(bucket))
            {
                found.Add(shard);
            }

            found.Claim?.Add(name, bucket);
        }
    }

    private static void AddCombinations(ImmutableArray<ShardKeyColumn> columns, List<List<object>> values, ImmutableArray<ShardKey> chosen, List<ShardKey> keys)
    {
        if (chosen.Length == columns.Length)
        {
            keys.Add(ShardKey.Composite(chosen.AsSpan()));
            return;
        }

        foreach (var value in values[chosen.Length])
        {
            if (TryMakeKey(columns[chosen.Length].Type, value, out var key))
            {
                AddCombinations(columns, values, chosen.Add(key), keys);
            }
        }
    }

    // A value that the column cannot hold is in no row.
    private static bool TryMakeKey(ShardKeyType type, object? value, out ShardKey key)
    {
        key = default;
        if (value is null)
        {
            return false;
        }

        try
        {
            key = ShardKey.FromValue(value, type);
            return true;
        }
        catch (ShardKeyException refused) when (refused.Reason == ShardKeyRefusal.OutOfRange)
        {
            return false;
        }
    }

    private static List<object> ValuesOf(ImmutableArray<KeyTerm> terms, IReadOnlyDictionary<string, object?> parameters)
    {
        var values = new List<object>();
        foreach (var term in terms)
        {
            term.AddTo(values, parameters);
        }

        return values;
    }

    private struct Found(OwnershipClaim? claim)
    {
        public readonly OwnershipClaim? Claim => claim;

        public string? Single { get; private set; }

        public List<string>? Several { get; private set; }

        public void Add(ShardMap map, string name, in ShardKey key)
        {
            Add(map.ShardOf(key));
            claim?.Add(name, map.BucketOf(key) ?? MapOwnership.WholeShard);
        }

        public void AddAll(ShardMap map, string name)
        {
            foreach (var shard in map.Shards)
            {
                Add(shard);
            }

            claim?.Add(name, MapOwnership.WholeShard);
        }

        public void Add(string shard)
        {
            if (Single is null)
            {
                Single = shard;
            }
            else if (Several is null ? Single != shard : !Several.Contains(shard))
            {
                (Several ??= [Single]).Add(shard);
            }
        }
    }
}
