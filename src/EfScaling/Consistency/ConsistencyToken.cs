using System.Collections.Immutable;

namespace EfScaling.Consistency;

/// <summary>What a caller has written and seen, so that its later reads, in whatever process, show at least that.</summary>
/// <remarks>
/// Immutable and thread-safe. It holds positions in the servers' logs, no data and no secrets. To take it out of the process use
/// <see cref="ConsistencyTokenProtector"/>: a reader that could forge tokens could send every read to the primary.
/// </remarks>
public sealed class ConsistencyToken : IEquatable<ConsistencyToken>
{
    internal ConsistencyToken(ImmutableArray<ShardPosition> positions, bool isUnknown = false) => (Positions, IsUnknown) = (positions, isUnknown);

    /// <summary>Gets the token that asks for nothing.</summary>
    public static ConsistencyToken None { get; } = new([]);

    /// <summary>Gets the token of a caller about whom nothing is known: its reads go to the primary.</summary>
    public static ConsistencyToken Unknown { get; } = new([], isUnknown: true);

    /// <summary>Gets whether it is not known what the caller has written and seen, so that only the primary will do.</summary>
    public bool IsUnknown { get; }

    // Ordered by shard and cluster, each of them once.
    internal ImmutableArray<ShardPosition> Positions { get; }

    /// <summary>Returns the token that asks for all that this one and another ask for.</summary>
    /// <param name="other">The other token.</param>
    /// <returns>For each shard the later position; <see cref="IsUnknown"/> if one of them is.</returns>
    public ConsistencyToken Merge(ConsistencyToken other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Positions.IsEmpty && (IsUnknown || !other.IsUnknown))
        {
            return this;
        }

        var merged = other.Positions.Aggregate(Positions, Merge);
        return new ConsistencyToken(merged, IsUnknown || other.IsUnknown);
    }

    /// <inheritdoc />
    public bool Equals(ConsistencyToken? other) =>
        other is not null && IsUnknown == other.IsUnknown && Positions.AsSpan().SequenceEqual(other.Positions.AsSpan());

    /// <inheritdoc />
    public override bool Equals(object? obj) => Equals(obj as ConsistencyToken);

    /// <inheritdoc />
    public override int GetHashCode() => Positions.Aggregate(IsUnknown.GetHashCode(), HashCode.Combine);

    /// <summary>Returns the positions for logs; it cannot be read back.</summary>
    public override string ToString() =>
        IsUnknown ? "unknown" : Positions.IsEmpty ? "none" : string.Join(", ", Positions.Select(p => FormattableString.Invariant($"{p.Shard}{p.SystemId}:{p.Timeline}:{p.Position}")));

    // What the token asks of a shard that belongs to the given cluster; null for nothing.
    internal ShardPosition? Find(string shard, ulong systemId)
    {
        foreach (var position in Positions)
        {
            if (position.Shard == shard && position.SystemId == systemId)
            {
                return position;
            }
        }

        return null;
    }

    // The token with another server on which the position's shard was seen.
    internal ConsistencyToken WithSeenOn(ShardPosition seen)
    {
        if (Find(seen.Shard, seen.SystemId) is not { } known)
        {
            return seen.SeenOn == ShardPosition.Nowhere ? this : Merge(new ConsistencyToken([seen]));
        }

        return known.SeenOn == seen.SeenOn ? this : new ConsistencyToken([.. Positions.Select(p => p == known ? p with { SeenOn = seen.SeenOn } : p)], IsUnknown);
    }

    // Whether the token speaks of the shard, but only as part of other clusters.
    internal bool IsForeignTo(string shard, ulong systemId)
    {
        var isForeign = false;
        foreach (var position in Positions)
        {
            if (position.Shard == shard)
            {
                if (position.SystemId == systemId)
                {
                    return false;
                }

                isForeign = true;
            }
        }

        return isForeign;
    }

    private static ImmutableArray<ShardPosition> Merge(ImmutableArray<ShardPosition> positions, ShardPosition added)
    {
        for (var index = 0; index < positions.Length; index++)
        {
            if (positions[index].IsOfSameShardAs(added))
            {
                return positions.SetItem(index, positions[index].Merge(added));
            }

            var order = string.CompareOrdinal(positions[index].Shard, added.Shard);
            if (order > 0 || (order == 0 && positions[index].SystemId > added.SystemId))
            {
                return positions.Insert(index, added);
            }
        }

        return positions.Add(added);
    }
}
