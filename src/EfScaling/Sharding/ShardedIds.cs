using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Sharding;

/// <summary>Makes the ids of the entities of one context.</summary>
/// <param name="database">The shards, and what lives where.</param>
/// <param name="reserve">Returns what makes ids in this process.</param>
/// <remarks>Not thread-safe, like the context.</remarks>
internal sealed class ShardedIds(ShardedDatabase database, Func<GeneratorReservation> reserve)
{
    /// <summary>Loads what <see cref="BucketOf"/> needs, which otherwise does so itself.</summary>
    public ValueTask PrepareAsync(CancellationToken cancellationToken) => database.PrepareAsync(cancellationToken);

    /// <summary>Returns the bucket that an entity's row belongs to.</summary>
    /// <param name="entry">An entity that is being added.</param>
    /// <param name="id">The property that gets an id.</param>
    /// <exception cref="InvalidOperationException">The shard key is not set.</exception>
    public int BucketOf(EntityEntry entry, IProperty id)
    {
        var table = database.Model.Find(entry.Metadata);
        foreach (var column in table.Key)
        {
            var value = entry.Property(column.Property);
            if (value.IsTemporary || IsUnset(column.Property, value.CurrentValue))
            {
                throw new InvalidOperationException(
                    $"An id of '{entry.Metadata.DisplayName()}' was to be made for '{id.Name}' before its shard key '{column.Property.Name}' was set, whose bucket the id carries. Set the shard key before Add(...), or add the entity with the one that it belongs to.");
            }
        }

        return RowPlace.BucketOf(table, database.Picture.Maps[table.Map], entry)
            ?? throw new InvalidOperationException(
                $"An id of '{entry.Metadata.DisplayName()}' was to be made for '{id.Name}' before it was said whom it belongs to. Add the entity with the one that it belongs to.");
    }

    /// <summary>Makes the next id of a bucket.</summary>
    /// <exception cref="InvalidOperationException">The process has no generator's number, and there is none to be had.</exception>
    public long Next(int bucket) => reserve().Next(bucket);

    /// <inheritdoc cref="Next" />
    public ValueTask<long> NextAsync(int bucket, CancellationToken cancellationToken) => reserve().NextAsync(bucket, cancellationToken);

    // Whether false was set or is left from the beginning, nobody knows.
    private static bool IsUnset(IProperty property, object? value) => value is null || (value is not bool && Equals(value, property.Sentinel));
}
