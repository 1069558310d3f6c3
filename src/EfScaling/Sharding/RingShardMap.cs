using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace EfScaling.Sharding;

/// <summary>Places keys by consistent hashing: each shard owns many arcs of a ring of hashes.</summary>
/// <remarks>
/// A shard that is added takes about an even share of the keys, from all others alike; no key moves between the others. Shares differ by some percent; more
/// virtual nodes make them more even. Finding the shard costs the hash and a binary search. There are no buckets, so keys move all at once; choose
/// <see cref="HashShardMap"/> to move them little by little.
/// </remarks>
public sealed class RingShardMap : ShardMap
{
    /// <summary>The virtual nodes of each shard unless told otherwise.</summary>
    public const int DefaultVirtualNodes = 256;

    /// <summary>The most virtual nodes of a shard.</summary>
    public const int MaxVirtualNodes = 4_096;

    // The ends of the arcs in ascending order, and the shard of each.
    private readonly ulong[] _ends;
    private readonly string[] _shardOfEnd;

    /// <summary>Creates a ring of shards.</summary>
    /// <param name="shards">The names of the shards, each once. Their order does not matter; their names decide the arcs.</param>
    /// <param name="virtualNodes">How many arcs each shard has: from 1 to 4,096; 256 by default.</param>
    /// <param name="keyTypes">The types of the key's columns; <see langword="null"/> takes any.</param>
    /// <param name="prefixLength">How many leading columns of a key decide; zero for all of them.</param>
    /// <param name="version">The version of the map; at least 1.</param>
    /// <exception cref="ArgumentException">Anything of this is wrong; the message has all faults.</exception>
    public RingShardMap(
        IEnumerable<string> shards, int virtualNodes = DefaultVirtualNodes, IEnumerable<ShardKeyType>? keyTypes = null, int prefixLength = 0, long version = 1)
        : this(new ShardMapFaults(), shards, virtualNodes, keyTypes, prefixLength, version)
    {
    }

    private RingShardMap(ShardMapFaults faults, IEnumerable<string> shards, int virtualNodes, IEnumerable<ShardKeyType>? keyTypes, int prefixLength, long version)
        : base(faults, shards, keyTypes, prefixLength, version)
    {
        if (virtualNodes is < 1 or > MaxVirtualNodes)
        {
            faults.Add(string.Create(CultureInfo.InvariantCulture, $"Its shards have {virtualNodes} virtual nodes. Set 'virtualNodes' from 1 to {MaxVirtualNodes}."));
        }

        faults.ThrowIfAny();
        VirtualNodes = virtualNodes;

        // By name where two ends are equal, so that the order of the shards cannot matter.
        (ulong End, string Shard)[] ends =
        [
            .. Shards.SelectMany(s => Enumerable.Range(0, virtualNodes).Select(n => (End: EndOf(s, n), Shard: s)))
                .OrderBy(e => e.End)
                .ThenBy(e => e.Shard, StringComparer.Ordinal),
        ];
        _ends = [.. ends.Select(e => e.End)];
        _shardOfEnd = [.. ends.Select(e => e.Shard)];
    }

    /// <summary>Gets how many arcs each shard has.</summary>
    public int VirtualNodes { get; }

    /// <summary>Returns the next version, which has one more shard.</summary>
    /// <param name="shard">A name that no other shard has.</param>
    /// <exception cref="ArgumentException">The name is empty or taken.</exception>
    public RingShardMap WithShard(string shard) => new(Shards.Append(shard), VirtualNodes, KeyTypes, PrefixLength, Version + 1);

    /// <inheritdoc />
    protected override string FindShard(in ShardKey key) => _shardOfEnd[ArcOf(key)];

    /// <inheritdoc />
    protected override string ExplainPlace(in ShardKey key) => string.Create(CultureInfo.InvariantCulture, $"ring, arc {ArcOf(key) + 1} of {_ends.Length}");

    /// <inheritdoc />
    protected override IEnumerable<string> Describe() => [VirtualNodes.ToString(CultureInfo.InvariantCulture)];

    private static ulong EndOf(string shard, int number) =>
        PartitionHash.Of(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{shard}/{number}")));

    // The first end at or behind the key's hash; behind the last one the ring begins again.
    private int ArcOf(in ShardKey key)
    {
        var at = _ends.AsSpan().BinarySearch(key.GetPartitionHash());
        if (at >= 0)
        {
            // Of equal ends any may be found, but only the first one owns the arc before it.
            while (at > 0 && _ends[at - 1] == _ends[at])
            {
                at--;
            }

            return at;
        }

        return ~at == _ends.Length ? 0 : ~at;
    }
}
