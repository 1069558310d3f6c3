using System.Collections.Immutable;
using System.Globalization;

namespace EfScaling.Sharding;

/// <summary>Places keys by ranges of their values, so that neighbours stay together.</summary>
/// <remarks>
/// Ranges join without gap or overlap; the first and the last may be open. Bounds compare as on the server: text byte by byte in UTF-8, as the collation C
/// does, uuid byte by byte, and several columns one after the other, where a bound with fewer columns stands before all keys that begin with it.
/// </remarks>
public sealed class RangeShardMap : ShardMap
{
    private readonly ImmutableArray<ShardRange> _ranges;

    /// <summary>Creates a map of ranges.</summary>
    /// <param name="ranges">The ranges, in any order; a shard may have several. Bounds have the types of the leading columns of keys, all the same.</param>
    /// <param name="version">The version of the map; at least 1.</param>
    /// <exception cref="ArgumentException">Ranges overlap, are empty, leave a gap or have bounds of different types; the message has all faults.</exception>
    public RangeShardMap(IEnumerable<ShardRange> ranges, long version = 1)
        : this(new ShardMapFaults(), [.. ranges ?? throw new ArgumentNullException(nameof(ranges))], version)
    {
    }

    private RangeShardMap(ShardMapFaults faults, ImmutableArray<ShardRange> ranges, long version)
        : base(faults, ranges.Select(r => r.Shard).Distinct(StringComparer.Ordinal), TypesOf(ranges), TypesOf(ranges).Count, version)
    {
        _ranges = Sorted(ranges, KeyTypes, faults);
        faults.ThrowIfAny();
        List<string> order = [.. _ranges.Select(r => r.Shard).Where((s, i) => i == 0 || s != _ranges[i - 1].Shard)];
        ShardsInOrder = order.Count == Shards.Count ? order : null;
    }

    /// <summary>Gets the ranges in the order of their keys.</summary>
    public IReadOnlyList<ShardRange> Ranges => _ranges;

    /// <summary>Gets the shards in the order of their keys; <see langword="null"/> if a shard has ranges with those of others between them.</summary>
    internal IReadOnlyList<string>? ShardsInOrder { get; }

    /// <inheritdoc />
    protected override string FindShard(in ShardKey key) => _ranges[RangeOf(key)].Shard;

    /// <inheritdoc />
    protected override IReadOnlyList<string> FindShards(in ShardKey prefix)
    {
        var shards = new List<string>();
        foreach (var range in _ranges)
        {
            if (!BeginsAfter(range.From, prefix) && !EndsBefore(range.To, prefix) && !shards.Contains(range.Shard))
            {
                shards.Add(range.Shard);
            }
        }

        return shards;
    }

    /// <inheritdoc />
    protected override string ExplainPlace(in ShardKey key) => string.Create(CultureInfo.InvariantCulture, $"range {RangeOf(key) + 1} of {_ranges.Length}");

    /// <inheritdoc />
    protected override IEnumerable<string> Describe() => _ranges.SelectMany(r => new[] { TextOf(r.From), TextOf(r.To), r.Shard });

    // Without a bound every key has the same shard, and any type of key will do.
    private static IReadOnlyList<ShardKeyType> TypesOf(IEnumerable<ShardRange> ranges) =>
        ranges.SelectMany(Bounds).OrderByDescending(b => b.ColumnCount).Select(b => b.Types).FirstOrDefault() ?? [];

    private static IEnumerable<ShardKey> Bounds(ShardRange range) => new[] { range.From, range.To }.OfType<ShardKey>();

    private static ImmutableArray<ShardRange> Sorted(ImmutableArray<ShardRange> ranges, IReadOnlyList<ShardKeyType> types, ShardMapFaults faults)
    {
        for (var at = 0; at < ranges.Length; at++)
        {
            foreach (var bound in Bounds(ranges[at]).Where(b => b.ColumnCount == 0 || !b.Types.SequenceEqual(types.Take(b.ColumnCount))))
            {
                faults.Add(string.Create(
                    CultureInfo.InvariantCulture, $"Range {at + 1} (shard '{ranges[at].Shard}') has a bound of ({bound}), others of ({ShardKeyErrors.Names(types)}). Give all bounds the types of the key's columns."));
            }
        }

        if (!faults.IsEmpty)
        {
            return ranges;
        }

        for (var at = 0; at < ranges.Length; at++)
        {
            if (ranges[at] is { From: { } from, To: { } to } && ShardKey.Compare(from, to) >= 0)
            {
                faults.Add(string.Create(CultureInfo.InvariantCulture, $"{Name(ranges[at], at)} holds no key, because its lower bound is not less than its upper bound. Swap them or remove the range."));
            }
        }

        (ShardRange Range, int At)[] sorted = [.. ranges.Select((r, i) => (r, i))];
        Array.Sort(sorted, (l, r) => CompareFrom(l.Range.From, r.Range.From) is not 0 and var order ? order : l.At.CompareTo(r.At));
        if (!faults.IsEmpty)
        {
            return ranges;
        }

        // The range that reaches furthest so far: it may overlap more than the next one.
        var last = sorted.FirstOrDefault();
        foreach (var next in sorted.Skip(1))
        {
            var order = last.Range.To is not { } end || next.Range.From is not { } begin ? 1 : ShardKey.Compare(end, begin);
            if (order > 0)
            {
                faults.Add($"{Name(last.Range, last.At)} and {Name(next.Range, next.At)} overlap. Let the second begin where the first ends.");
            }
            else if (order < 0)
            {
                faults.Add($"Between {Name(last.Range, last.At)} and {Name(next.Range, next.At)} keys are missing. Let the second begin where the first ends, or add a range.");
            }

            last = CompareTo(next.Range.To, last.Range.To) >= 0 ? next : last;
        }

        return [.. sorted.Select(s => s.Range)];
    }

    private static string Name(ShardRange range, int at) => string.Create(CultureInfo.InvariantCulture, $"Range {at + 1} (shard '{range.Shard}')");

    private static string TextOf(ShardKey? bound) => bound?.ToStringWithValues() ?? "open";

    private static int CompareFrom(ShardKey? left, ShardKey? right) =>
        left is not { } l ? (right is null ? 0 : -1) : right is not { } r ? 1 : ShardKey.Compare(l, r);

    private static int CompareTo(ShardKey? left, ShardKey? right) =>
        left is not { } l ? (right is null ? 0 : 1) : right is not { } r ? -1 : ShardKey.Compare(l, r);

    // All keys that begin with the prefix stand before the range.
    private static bool BeginsAfter(ShardKey? from, in ShardKey prefix) =>
        from is { } bound && ShardKey.Compare(bound.Prefix(Math.Min(bound.ColumnCount, prefix.ColumnCount)), prefix) > 0;

    // All keys that begin with the prefix stand at or behind the end of the range.
    private static bool EndsBefore(ShardKey? to, in ShardKey prefix) =>
        to is { } bound && ShardKey.Compare(bound, prefix) <= 0;

    private int RangeOf(in ShardKey key)
    {
        // The last range that does not begin after the key.
        var (low, high) = (0, _ranges.Length - 1);
        while (low < high)
        {
            var middle = (low + high + 1) >>> 1;
            if (_ranges[middle].From is { } from && ShardKey.Compare(from, key) > 0)
            {
                high = middle - 1;
            }
            else
            {
                low = middle;
            }
        }

        var range = _ranges[low];
        return (range.From is not { } begin || ShardKey.Compare(begin, key) <= 0) && (range.To is not { } end || ShardKey.Compare(key, end) < 0)
            ? low
            : throw new ShardKeyException(
                ShardKeyRefusal.OutOfRange,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"A shard was asked for with a key of '{key}' that lies outside all ranges of the shard map, version {Version}. Add a range, or leave the first and the last one open with a bound of null."));
    }
}
