using System.Collections.Immutable;
using EfScaling.Routing.Shards;

namespace EfScaling.Routing.Scatter;

/// <summary>Columns that tell the shard of the rows of a table, as they are called in the select that reads it.</summary>
/// <param name="Map">The shard map that finds the shard; <see langword="null"/> for the default shard.</param>
/// <param name="Key">The columns of the shard key; empty if it is not shown.</param>
/// <param name="Ids">Columns whose values tell the bucket.</param>
/// <param name="IsOptional">Whether an outer join may have put nulls in their place, which tell no shard.</param>
internal sealed record Anchor(string? Map, ImmutableArray<(string Table, string Column)> Key, ImmutableArray<(string Table, string Column)> Ids, bool IsOptional = false)
{
    /// <summary>Returns whether rows of both that are joined certainly live on one shard.</summary>
    /// <param name="other">The other rows.</param>
    /// <param name="facts">What is certain about the joined rows.</param>
    /// <param name="byBucket">Whether that is so only if the keys of a bucket live together.</param>
    public bool IsWith(Anchor other, KeyFacts facts, out bool byBucket)
    {
        byBucket = false;
        if (ReferenceEquals(this, other) || (Map is null && other.Map is null))
        {
            return true;
        }

        if (Map is null || Map != other.Map)
        {
            return false;
        }

        if (!Key.IsEmpty && Key.Length == other.Key.Length && Key.Zip(other.Key).All(k => facts.AreEqual(k.First, k.Second)))
        {
            return true;
        }

        return byBucket = Ids.Any(i => other.Ids.Any(o => facts.AreEqual(i, o)));
    }

    /// <summary>Returns whether rows that are alike in some columns certainly live on one shard.</summary>
    /// <param name="columns">The columns.</param>
    /// <param name="facts">What is certain about the rows.</param>
    /// <param name="byBucket">Whether that is so only if the keys of a bucket live together.</param>
    public bool IsToldBy(IReadOnlyList<(string Table, string Column)> columns, KeyFacts facts, out bool byBucket)
    {
        byBucket = false;
        if (Map is null)
        {
            return true;
        }

        if (IsOptional)
        {
            return false;
        }

        return (!Key.IsEmpty && Key.All(k => columns.Any(c => facts.AreEqual(c, k))))
            || (byBucket = Ids.Any(i => columns.Any(c => facts.AreEqual(c, i))));
    }
}
