using System.Collections.Frozen;
using System.Collections.Immutable;

namespace EfScaling.Sharding.Catalog;

/// <summary>The versions that shards must own of one map for a process with this map to read and write there.</summary>
/// <param name="Buckets">The version of each bucket: that of the newest change which concerned it. Empty if the map has no buckets.</param>
/// <param name="Shards">The version of each shard as a whole: that of the newest change which concerned anything there.</param>
/// <remarks>Immutable and thread-safe.</remarks>
internal sealed record MapOwnership(ImmutableArray<long> Buckets, FrozenDictionary<string, long> Shards)
{
    /// <summary>The number in the place of a bucket that stands for the shard as a whole.</summary>
    public const int WholeShard = -1;

    /// <summary>Returns the version that a shard must own of a bucket, or of <see cref="WholeShard"/>.</summary>
    /// <returns>Zero, which no shard owns, if the shard is not part of the map.</returns>
    public long VersionOf(string shard, int bucket) => bucket == WholeShard ? Shards.GetValueOrDefault(shard) : Buckets[bucket];
}
