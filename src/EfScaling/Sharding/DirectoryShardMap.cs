using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;

namespace EfScaling.Sharding;

/// <summary>Pins single keys, or all keys that begin with some columns, to shards; all other keys are placed by another map.</summary>
/// <remarks>
/// For the few tenants that need a place of their own. The longest pin that a key begins with decides. A pinned key keeps the bucket that the map below gives
/// it, so ids that carry the bucket stay right; the bucket then has more than one shard.
/// </remarks>
public sealed class DirectoryShardMap : ShardMap
{
    private readonly FrozenDictionary<ShardKey, string> _pins;
    private readonly ImmutableArray<string> _dedicated;

    // Numbers of columns that pins have, the greatest first.
    private readonly ImmutableArray<int> _lengths;
    private readonly ImmutableArray<ShardKeyType> _types;

    /// <summary>Creates a map of pins over another map.</summary>
    /// <param name="fallback">Places the keys that have no pin.</param>
    /// <param name="pins">Keys, or first columns of keys, and the shard of each. All of the types of the keys.</param>
    /// <param name="dedicatedShards">Shards that only pins use; <see langword="null"/> for none.</param>
    /// <param name="version">The version of the map; at least 1.</param>
    /// <exception cref="ArgumentException">A pin names an unknown shard, is given twice or has other types; the message has all faults.</exception>
    public DirectoryShardMap(ShardMap fallback, IEnumerable<KeyValuePair<ShardKey, string>> pins, IEnumerable<string>? dedicatedShards = null, long version = 1)
        : this(
            new ShardMapFaults(),
            fallback ?? throw new ArgumentNullException(nameof(fallback)),
            [.. pins ?? throw new ArgumentNullException(nameof(pins))],
            dedicatedShards?.ToImmutableArray() ?? [],
            version)
    {
    }

    private DirectoryShardMap(ShardMapFaults faults, ShardMap fallback, ImmutableArray<KeyValuePair<ShardKey, string>> pins, ImmutableArray<string> dedicated, long version)
        : base(faults, fallback.Shards.Concat(dedicated), fallback.KeyTypes, PrefixOf(fallback, pins), version)
    {
        Fallback = fallback;
        _dedicated = dedicated;
        _lengths = [.. pins.Select(p => p.Key.ColumnCount).Distinct().OrderDescending()];
        _types = fallback.KeyTypes.Count > 0
            ? [.. fallback.KeyTypes]
            : [.. pins.OrderByDescending(p => p.Key.ColumnCount).Select(p => p.Key.Types).FirstOrDefault() ?? []];
        Check(faults, pins);
        faults.ThrowIfAny();
        _pins = pins.ToFrozenDictionary();
    }

    /// <inheritdoc />
    public override int BucketCount => Fallback.BucketCount;

    /// <inheritdoc />
    internal override HashShardMap? Buckets => Fallback.Buckets;

    /// <summary>Gets the map that places the keys which have no pin.</summary>
    public ShardMap Fallback { get; }

    /// <summary>Gets the pinned keys and their shards.</summary>
    public IReadOnlyDictionary<ShardKey, string> Pins => _pins;

    /// <summary>Returns the next version, in which a key is pinned to a shard, whether it was before or not.</summary>
    /// <param name="key">A key, or first columns of keys.</param>
    /// <param name="shard">One of <see cref="ShardMap.Shards"/>.</param>
    /// <exception cref="ArgumentException">There is no such shard, or the key has other types.</exception>
    public DirectoryShardMap With(in ShardKey key, string shard) => new(Fallback, new Dictionary<ShardKey, string>(_pins) { [key] = shard }, _dedicated, Version + 1);

    /// <summary>Returns the next version, in which a key is no longer pinned.</summary>
    /// <param name="key">The key as it was pinned.</param>
    /// <exception cref="ArgumentException">The key is not pinned.</exception>
    public DirectoryShardMap Without(in ShardKey key)
    {
        var rest = new Dictionary<ShardKey, string>(_pins);
        return rest.Remove(key)
            ? new(Fallback, rest, _dedicated, Version + 1)
            : throw new ArgumentException($"A pin of a key ({key}) was to be removed that the map does not have. Look it up in 'Pins'.", nameof(key));
    }

    /// <summary>Returns the next version, in which other keys are placed by another map.</summary>
    /// <exception cref="ArgumentException">The pins do not fit to the map.</exception>
    public DirectoryShardMap WithFallback(ShardMap fallback) => new(fallback, _pins, _dedicated, Version + 1);

    /// <inheritdoc />
    protected override string FindShard(in ShardKey key) => PinOf(key, mustDecide: true).Shard ?? Fallback.ShardOf(key);

    /// <inheritdoc />
    protected override IReadOnlyList<string> FindShards(in ShardKey prefix)
    {
        var longer = new List<string>();
        foreach (var (key, shard) in _pins)
        {
            if (key.ColumnCount > prefix.ColumnCount && key.StartsWith(prefix))
            {
                longer.Add(shard);
            }
        }

        return [.. (PinOf(prefix, mustDecide: false).Shard is { } pin ? [pin] : Fallback.ShardsOf(prefix)).Concat(longer).Distinct(StringComparer.Ordinal)];
    }

    /// <inheritdoc />
    protected override int FindBucket(in ShardKey key) => Fallback.BucketOf(key) ?? 0;

    /// <inheritdoc />
    protected override IReadOnlyList<string> FindShardsOfBucket(int bucket)
    {
        var shards = Fallback.ShardsOfBucket(bucket).ToList();
        foreach (var (key, shard) in _pins)
        {
            // A pin of fewer columns than the hash takes in has keys in every bucket.
            if (!shards.Contains(shard) && (IsInEveryBucket(key) || Fallback.BucketOf(key) == bucket))
            {
                shards.Add(shard);
            }
        }

        return shards;
    }

    /// <inheritdoc />
    protected override string ExplainPlace(in ShardKey key)
    {
        var (shard, columns) = PinOf(key, mustDecide: true);
        return shard is null ? $"no pin; below it {Fallback.Explain(key)}"
            : columns < key.ColumnCount ? string.Create(CultureInfo.InvariantCulture, $"pin of its first {columns} columns")
            : "pin";
    }

    /// <inheritdoc />
    protected override IEnumerable<string> Describe() =>
        new[] { Fallback.Fingerprint }.Concat(_pins.Select(p => $"{p.Key.ToStringWithValues()} -> {p.Value}").Order(StringComparer.Ordinal));

    // Where only a prefix decides below, a longer pin makes more columns decide here.
    private static int PrefixOf(ShardMap fallback, ImmutableArray<KeyValuePair<ShardKey, string>> pins) =>
        fallback.PrefixLength == 0 ? 0 : Math.Max(fallback.PrefixLength, pins.Select(p => p.Key.ColumnCount).DefaultIfEmpty().Max());

    private void Check(ShardMapFaults faults, ImmutableArray<KeyValuePair<ShardKey, string>> pins)
    {
        var seen = new HashSet<ShardKey>();
        for (var at = 0; at < pins.Length; at++)
        {
            var (key, shard) = pins[at];
            if (!Shards.Contains(shard))
            {
                faults.Add(string.Create(CultureInfo.InvariantCulture, $"Pin {at + 1} of a key ({key}) names shard '{shard}', which the map does not have. Add it to 'dedicatedShards' or name one of the shards below."));
            }

            if (key.ColumnCount == 0 || key.ColumnCount > _types.Length || !key.Types.SequenceEqual(_types.Take(key.ColumnCount)))
            {
                faults.Add(string.Create(CultureInfo.InvariantCulture, $"Pin {at + 1} is of a key ({key}), but keys are ({ShardKeyErrors.Names(_types)}). Give all pins the types of the key's columns."));
            }
            else if (!seen.Add(key))
            {
                faults.Add(string.Create(CultureInfo.InvariantCulture, $"Pin {at + 1} is of a key ({key}) that has a pin already. Give each key one pin."));
            }
        }
    }

    // The longest pin that the key begins with, and its columns.
    private (string? Shard, int Columns) PinOf(in ShardKey key, bool mustDecide)
    {
        if (_lengths.IsEmpty)
        {
            return default;
        }

        if (mustDecide && key.ColumnCount < _lengths[0])
        {
            throw ShardKeyErrors.WrongColumns(key, _lengths[0], orMore: true);
        }

        // Without declared types the map below takes any key; a pin would never be found by a key of another type.
        for (var column = 0; column < Math.Min(key.ColumnCount, _lengths[0]); column++)
        {
            if (key.TypeOf(column) != _types[column])
            {
                throw ShardKeyErrors.WrongType(key, _types);
            }
        }

        foreach (var length in _lengths)
        {
            if (length <= key.ColumnCount && _pins.TryGetValue(key.Prefix(length), out var shard))
            {
                return (shard, length);
            }
        }

        return default;
    }

    private bool IsInEveryBucket(in ShardKey pin) =>
        Fallback.PrefixLength > 0 ? pin.ColumnCount < Fallback.PrefixLength : Fallback.KeyTypes.Count == 0 || pin.ColumnCount < Fallback.KeyTypes.Count;
}
