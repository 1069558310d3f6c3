using System.Collections.Immutable;

namespace EfScaling.Sharding.Catalog;

/// <summary>Finds what a change of a map concerns.</summary>
internal static class ShardMapDifference
{
    /// <summary>Returns the buckets some of whose keys may have another shard in one map than in the other, in their order. What is not known to be equal counts.</summary>
    public static ImmutableArray<int> BucketsOf(ShardMap from, ShardMap to)
    {
        var all = Enumerable.Range(0, to.BucketCount);
        if (Below(from) is not HashShardMap below || Below(to) is not HashShardMap above || below.PrefixLength != above.PrefixLength)
        {
            return [.. all];
        }

        // A pin that both have places its keys alike in both; any other may concern every key of its bucket.
        var pins = PinsOf(from).Except(PinsOf(to)).Union(PinsOf(to).Except(PinsOf(from))).Select(p => p.Key).ToList();
        var columns = to.KeyTypes.Count > 0 ? to.KeyTypes.Count : int.MaxValue;
        var deciding = below.PrefixLength > 0 ? below.PrefixLength : columns;
        return pins.Exists(p => p.ColumnCount < deciding)
            ? [.. all]
            : [.. all.Where(b => below.Assignment[b] != above.Assignment[b]).Union(pins.Select(p => below.BucketOf(p)!.Value)).Order()];
    }

    // Of a directory over a directory the same pins place keys otherwise when they change places.
    private static ShardMap Below(ShardMap map) => map is DirectoryShardMap directory ? directory.Fallback : map;

    private static IEnumerable<KeyValuePair<ShardKey, string>> PinsOf(ShardMap map) => map is DirectoryShardMap directory ? directory.Pins : [];
}
