using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.ValueGeneration;

namespace EfScaling.Sharding;

/// <summary>Generates the ids of a property, each with the bucket of its entity's shard key.</summary>
/// <remarks>Thread-safe. The first id of a process, and one each half minute at most, may ask the default shard for the right to a generator's number.</remarks>
internal sealed class ShardedIdValueGenerator(IProperty property) : ValueGenerator
{
    /// <inheritdoc />
    public override bool GeneratesTemporaryValues => false;

    /// <inheritdoc />
    protected override object? NextValue(EntityEntry entry)
    {
        var ids = IdsOf(entry);
        return Received(ids.Next(ids.BucketOf(entry, property)));
    }

    /// <inheritdoc />
    protected override async ValueTask<object?> NextValueAsync(EntityEntry entry, CancellationToken cancellationToken = default)
    {
        var ids = IdsOf(entry);
        await ids.PrepareAsync(cancellationToken).ConfigureAwait(false);
        return Received(await ids.NextAsync(ids.BucketOf(entry, property), cancellationToken).ConfigureAwait(false));
    }

    private static ShardedIds IdsOf(EntityEntry entry) =>
        entry.Context.GetInfrastructure().GetService(typeof(ShardedIds)) as ShardedIds
        ?? throw new InvalidOperationException(
            $"An id of '{entry.Metadata.DisplayName()}' was to be made by HasShardedId(), but its context has no shards. Call UseSharding(...) on its options, or set the id.");

    private object? Received(long id) => property.GetTypeMapping().Converter is { } converter ? converter.ConvertFromProvider(id) : id;
}
