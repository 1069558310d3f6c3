using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;

namespace EfScaling.Sharding;

/// <summary>Tells from an entity that a context tracks where its row belongs.</summary>
internal static class RowPlace
{
    /// <summary>Returns the shards of an entity's row.</summary>
    /// <param name="table">Where the entity's rows live: in a sharded table.</param>
    /// <param name="map">The map.</param>
    /// <param name="entry">The entity.</param>
    /// <returns>One; several only for rows that are found by an id alone, if single keys of its bucket are placed elsewhere.</returns>
    /// <exception cref="InvalidOperationException">The shard key is not known yet, or an id of the row belongs to another one.</exception>
    /// <exception cref="ShardKeyException">The key belongs to no shard.</exception>
    public static IReadOnlyList<string> ShardsOf(ShardedTable table, ShardMap map, EntityEntry entry)
    {
        if (!table.Ids.IsEmpty && entry.State != EntityState.Deleted && BucketOf(table, map, entry) is { } bucket)
        {
            Check(table, entry, bucket);
        }

        if (!table.Key.IsEmpty)
        {
            return [map.ShardOf(KeyOf(table, entry))];
        }

        return BucketOf(table, map, entry) is { } told
            ? map.ShardsOfBucket(told)
            : throw new InvalidOperationException(
                $"SaveChanges was given a '{entry.Metadata.DisplayName()}' that does not say whom it belongs to. Add it with the entity that it belongs to.");
    }

    /// <summary>Returns the bucket of an entity's row.</summary>
    /// <inheritdoc cref="ShardsOf" path="/param"/>
    /// <returns><see langword="null"/> if nothing tells it.</returns>
    public static int? BucketOf(ShardedTable table, ShardMap map, EntityEntry entry) =>
        table.Key.IsEmpty ? table.Ids.Select(i => i.BucketOf(ValueOf(entry.Property(i.Property)))).FirstOrDefault(b => b < map.BucketCount) : map.BucketOf(KeyOf(table, entry));

    private static ShardKey KeyOf(ShardedTable table, EntityEntry entry)
    {
        var key = new ShardKey[table.Key.Length];
        for (var i = 0; i < key.Length; i++)
        {
            var property = table.Key[i].Property;
            var value = entry.Property(property);
            if (value.IsTemporary)
            {
                throw new InvalidOperationException(
                    $"SaveChanges was given a '{entry.Metadata.DisplayName()}' whose shard key '{property.Name}' the database would generate, which must be chosen by it first. Set the value, or let the client generate it.");
            }

            var known = ValueOf(value);
            key[i] = table.Key[i].KeyOf(known is not null && property.GetTypeMapping().Converter is { } converter ? converter.ConvertToProvider(known) : known);
        }

        return ShardKey.Composite(key);
    }

    // A row that carries the id of another bucket would be looked for on the wrong shard.
    private static void Check(ShardedTable table, EntityEntry entry, int bucket)
    {
        foreach (var id in table.Ids)
        {
            var value = entry.Property(id.Property);
            if (value.CurrentValue is { } present && (entry.State != EntityState.Modified || value.IsModified) && id.BucketOf(present) != bucket)
            {
                throw new InvalidOperationException(
                    $"SaveChanges was given a '{entry.Metadata.DisplayName()}' whose '{id.Name}' carries another bucket than {(table.Key.IsEmpty ? "the other ids that it has" : $"its shard key '{string.Join(", ", table.Key.Select(c => c.Property.Name))}' has")}. Set the shard key before the entity is added, let HasShardedId() make the id, and refer only to rows with the same shard key.");
            }
        }
    }

    private static object? ValueOf(PropertyEntry value) => value.EntityEntry.State is EntityState.Modified or EntityState.Deleted ? value.OriginalValue : value.CurrentValue;
}
