using System.Collections.Immutable;
using EfScaling.Sharding.Catalog;

namespace EfScaling.Sharding;

/// <summary>The settings of <c>UseSharding</c>. Immutable.</summary>
internal sealed record ShardingOptions
{
    /// <summary>Gets the shards, in the order in which they were added.</summary>
    public ImmutableArray<ShardDefinition> Shards { get; init; } = [];

    /// <summary>Gets the shard of all that is not sharded; <see langword="null"/> for the first.</summary>
    public string? DefaultShard { get; init; }

    /// <summary>Gets the buckets of the map that is made of the shards if none is given.</summary>
    public int Buckets { get; init; } = HashShardMap.DefaultBucketCount;

    /// <summary>Gets the number with which this process makes ids; <see langword="null"/> for one that nobody else has at the time.</summary>
    public int? GeneratorNumber { get; init; }

    /// <summary>Gets what makes each map of the names of the shards, by the name of the map; the one without a name has an empty one.</summary>
    public ImmutableSortedDictionary<string, Func<IReadOnlyList<string>, ShardMap>> Maps { get; init; } =
        ImmutableSortedDictionary.Create<string, Func<IReadOnlyList<string>, ShardMap>>(StringComparer.Ordinal);

    /// <summary>Gets what one query over several shards may take at most.</summary>
    public ScatterBudget ScatterBudget { get; init; } = new();

    /// <summary>Gets where the shard maps come from; <see langword="null"/> for these options.</summary>
    public ShardCatalogOptions? Catalog { get; init; }

    /// <summary>Gets what runs queries that shards cannot answer together; <see langword="null"/> if they are refused.</summary>
    public FallbackCoordinatorOptions? FallbackCoordinator { get; init; }

    /// <summary>Gets how transactions over several shards are committed.</summary>
    public CommitProtocol CommitProtocol { get; init; }

    /// <summary>Gets how long a statement of such a transaction waits for a lock.</summary>
    public TimeSpan LockTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets the shard of all that is not sharded.</summary>
    public ShardDefinition Default => DefaultShard is null ? Shards[0] : Shards.First(s => s.Name == DefaultShard);

    /// <inheritdoc />
    /// <remarks>Options that are made anew for each context bring new delegates: what these make of the shards counts, if they hold variables.</remarks>
    public bool Equals(ShardingOptions? other) =>
        ReferenceEquals(this, other)
        || (other is not null
            && DefaultShard == other.DefaultShard
            && Buckets == other.Buckets
            && GeneratorNumber == other.GeneratorNumber
            && Catalog == other.Catalog
            && FallbackCoordinator == other.FallbackCoordinator
            && ScatterBudget == other.ScatterBudget
            && CommitProtocol == other.CommitProtocol
            && LockTimeout == other.LockTimeout
            && Shards.SequenceEqual(other.Shards)
            && Maps.Count == other.Maps.Count
            && Maps.All(m => other.Maps.TryGetValue(m.Key, out var map) && IsSame(map, m.Value)));

    /// <inheritdoc />
    public override int GetHashCode() => HashCode.Combine(DefaultShard, Buckets, Shards.Length, Shards.IsEmpty ? null : Shards[0], Maps.Count);

    /// <summary>Returns a shard; <see langword="null"/> if there is none of that name.</summary>
    public ShardDefinition? Find(string name) => Shards.FirstOrDefault(s => s.Name == name);

    private bool IsSame(Func<IReadOnlyList<string>, ShardMap> one, Func<IReadOnlyList<string>, ShardMap> other) =>
        one.Method == other.Method && (ReferenceEquals(one.Target, other.Target) || FingerprintOf(one) == FingerprintOf(other));

    private string FingerprintOf(Func<IReadOnlyList<string>, ShardMap> create) => create([.. Shards.Select(s => s.Name)]).Fingerprint;
}
