using System.Collections.Immutable;
using System.Globalization;
using System.Numerics;

namespace EfScaling.Sharding;

/// <summary>Spreads keys evenly over buckets by PostgreSQL's partition hash, and places each bucket on a shard.</summary>
/// <remarks>
/// The number of buckets is fixed for the life of the data. A new shard gets keys only by buckets moved to it; nothing else moves. Every server can compute
/// the bucket of a row itself. Finding the shard costs the hash and no allocation.
/// </remarks>
public sealed class HashShardMap : ShardMap
{
    /// <summary>The number of buckets unless told otherwise.</summary>
    public const int DefaultBucketCount = 1_024;

    /// <summary>The greatest number of buckets.</summary>
    public const int MaxBucketCount = 65_536;

    private readonly ImmutableArray<string> _shardOfBucket;

    /// <summary>Creates a first map whose buckets are assigned to the shards evenly, in runs.</summary>
    /// <param name="shards">The names of the shards, each once.</param>
    /// <param name="buckets">How many buckets there are: a power of two, not less than the shards, 65,536 at most. It can never be changed.</param>
    /// <param name="keyTypes">The types of the key's columns; <see langword="null"/> takes any.</param>
    /// <param name="prefixLength">How many leading columns of a key decide; zero for all of them.</param>
    /// <param name="version">The version of the map; at least 1.</param>
    /// <exception cref="ArgumentException">Anything of this is wrong; the message has all faults.</exception>
    public HashShardMap(
        IEnumerable<string> shards, int buckets = DefaultBucketCount, IEnumerable<ShardKeyType>? keyTypes = null, int prefixLength = 0, long version = 1)
        : this(new ShardMapFaults(), shards, keyTypes, prefixLength, version, (all, faults) => Even(all, buckets, faults))
    {
    }

    /// <summary>Creates a map with a given assignment, such as one that was stored.</summary>
    /// <param name="shards">The names of the shards, each once; one may have no buckets.</param>
    /// <param name="assignment">The shard of each bucket, from bucket zero on; their number is a power of two.</param>
    /// <param name="keyTypes">The types of the key's columns; <see langword="null"/> takes any.</param>
    /// <param name="prefixLength">How many leading columns of a key decide; zero for all of them.</param>
    /// <param name="version">The version of the map; at least 1.</param>
    /// <exception cref="ArgumentException">Anything of this is wrong; the message has all faults.</exception>
    public HashShardMap(
        IEnumerable<string> shards, IReadOnlyList<string> assignment, IEnumerable<ShardKeyType>? keyTypes = null, int prefixLength = 0, long version = 1)
        : this(new ShardMapFaults(), shards, keyTypes, prefixLength, version, (all, faults) => Given(all, assignment, faults))
    {
    }

    private HashShardMap(
        ShardMapFaults faults,
        IEnumerable<string> shards,
        IEnumerable<ShardKeyType>? keyTypes,
        int prefixLength,
        long version,
        Func<IReadOnlyList<string>, ShardMapFaults, ImmutableArray<string>> assign)
        : base(faults, shards, keyTypes, prefixLength, version)
    {
        _shardOfBucket = assign(Shards, faults);
        faults.ThrowIfAny();
    }

    /// <inheritdoc />
    public override int BucketCount => _shardOfBucket.Length;

    /// <inheritdoc />
    internal override HashShardMap? Buckets => this;

    /// <summary>Gets the shard of each bucket, from bucket zero on.</summary>
    public IReadOnlyList<string> Assignment => _shardOfBucket;

    /// <summary>Returns the next version, in which a bucket is on another shard.</summary>
    /// <param name="bucket">The bucket that moves.</param>
    /// <param name="shard">One of <see cref="ShardMap.Shards"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such bucket.</exception>
    /// <exception cref="ArgumentException">There is no such shard.</exception>
    public HashShardMap With(int bucket, string shard)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bucket);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(bucket, BucketCount);
        return Shards.Contains(shard)
            ? new(Shards, _shardOfBucket.SetItem(bucket, shard), KeyTypes, PrefixLength, Version + 1)
            : throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture, $"Bucket {bucket} was to be placed on shard '{shard}', which the map does not have. Add it before with 'WithShard'."), nameof(shard));
    }

    /// <summary>Returns the next version, which has one more shard, without buckets until some are moved there.</summary>
    /// <param name="shard">A name that no other shard has.</param>
    /// <exception cref="ArgumentException">The name is empty or taken.</exception>
    public HashShardMap WithShard(string shard) => new(Shards.Append(shard), _shardOfBucket, KeyTypes, PrefixLength, Version + 1);

    /// <inheritdoc />
    protected override string FindShard(in ShardKey key) => _shardOfBucket[FindBucket(key)];

    /// <inheritdoc />
    protected override int FindBucket(in ShardKey key) => (int)key.GetPartitionHash() & (_shardOfBucket.Length - 1);

    /// <inheritdoc />
    protected override IReadOnlyList<string> FindShardsOfBucket(int bucket) => [_shardOfBucket[bucket]];

    /// <inheritdoc />
    protected override string ExplainPlace(in ShardKey key) => string.Create(CultureInfo.InvariantCulture, $"hash, bucket {FindBucket(key)} of {BucketCount}");

    /// <inheritdoc />
    protected override IEnumerable<string> Describe() => _shardOfBucket;

    private static ImmutableArray<string> Even(IReadOnlyList<string> shards, int buckets, ShardMapFaults faults)
    {
        CheckBuckets(buckets, shards.Count, faults);
        return faults.IsEmpty ? [.. Enumerable.Range(0, buckets).Select(b => shards[(int)((long)b * shards.Count / buckets)])] : [];
    }

    private static ImmutableArray<string> Given(IReadOnlyList<string> shards, IReadOnlyList<string> assignment, ShardMapFaults faults)
    {
        ArgumentNullException.ThrowIfNull(assignment);
        CheckBuckets(assignment.Count, 0, faults);
        var known = shards.ToHashSet(StringComparer.Ordinal);
        foreach (var unknown in assignment.Select((shard, bucket) => (shard, bucket)).Where(b => !known.Contains(b.shard)).GroupBy(b => b.shard, b => b.bucket))
        {
            faults.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{unknown.Count()} buckets, the first of them {unknown.First()}, are on shard '{unknown.Key}', which the map does not have. Add it to the shards or assign them to another."));
        }

        return [.. assignment];
    }

    private static void CheckBuckets(int buckets, int shards, ShardMapFaults faults)
    {
        if (buckets is < 1 or > MaxBucketCount || !BitOperations.IsPow2(buckets))
        {
            faults.Add(string.Create(CultureInfo.InvariantCulture, $"It has {buckets} buckets. Set 'buckets' to a power of two from 1 to {MaxBucketCount}."));
        }
        else if (buckets < shards)
        {
            faults.Add(string.Create(CultureInfo.InvariantCulture, $"It has {shards} shards but only {buckets} buckets. Set 'buckets' to several times the number of shards you may ever have."));
        }
    }
}
