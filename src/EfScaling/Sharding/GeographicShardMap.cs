using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace EfScaling.Sharding;

/// <summary>Places keys on the shards of the region that their first column names, and spreads them evenly among these by their other columns.</summary>
/// <remarks>
/// A key of one text column names its region up to a separator, as <c>eu/4711</c> does with <c>'/'</c>, and is spread by the whole text. A shard added to a
/// region takes an even share of that region's keys from the others; no key moves between the others or to another region (rendezvous hashing).
/// </remarks>
public sealed class GeographicShardMap : ShardMap
{
    private readonly FrozenDictionary<string, int> _numbers;
    private readonly FrozenDictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _numbersBySpan;
    private readonly ImmutableArray<Region> _regions;
    private readonly int _default;
    private readonly char? _separator;

    /// <summary>Creates a map of regions.</summary>
    /// <param name="regions">The regions, compared with the key exactly, and the shards of each; a shard may serve several.</param>
    /// <param name="defaultRegion">Where keys of unknown regions go; <see langword="null"/> refuses them.</param>
    /// <param name="separator">What ends the region in keys of one text column; <see langword="null"/> if regions have a column of their own.</param>
    /// <param name="keyTypes">The types of the key's columns, the first of them text; <see langword="null"/> takes any behind the first.</param>
    /// <param name="prefixLength">How many leading columns of a key decide, the region among them; zero for all of them.</param>
    /// <param name="version">The version of the map; at least 1.</param>
    /// <exception cref="ArgumentException">Anything of this is wrong; the message has all faults.</exception>
    public GeographicShardMap(
        IEnumerable<KeyValuePair<string, IReadOnlyList<string>>> regions,
        string? defaultRegion = null,
        char? separator = null,
        IEnumerable<ShardKeyType>? keyTypes = null,
        int prefixLength = 0,
        long version = 1)
        : this(
            new ShardMapFaults(),
            [.. (regions ?? throw new ArgumentNullException(nameof(regions))).Select(r => new Region(r.Key, [.. r.Value]))],
            defaultRegion,
            separator,
            keyTypes,
            prefixLength,
            version)
    {
    }

    private GeographicShardMap(
        ShardMapFaults faults, ImmutableArray<Region> regions, string? defaultRegion, char? separator, IEnumerable<ShardKeyType>? keyTypes, int prefixLength, long version)
        : base(faults, regions.SelectMany(r => r.Shards).Distinct(StringComparer.Ordinal), keyTypes, prefixLength, version)
    {
        Check(faults, regions, defaultRegion, separator);
        faults.ThrowIfAny();
        _regions = regions;
        _separator = separator;
        _numbers = regions.Select((region, number) => KeyValuePair.Create(region.Name, number)).ToFrozenDictionary(StringComparer.Ordinal);
        _numbersBySpan = _numbers.GetAlternateLookup<ReadOnlySpan<char>>();
        _default = defaultRegion is null ? -1 : _numbers[defaultRegion];
    }

    /// <summary>Gets the names of the regions.</summary>
    public IReadOnlyList<string> Regions => [.. _regions.Select(r => r.Name)];

    /// <summary>Gets where keys of unknown regions go; <see langword="null"/> if they are refused.</summary>
    internal string? DefaultRegion => _default < 0 ? null : _regions[_default].Name;

    /// <summary>Gets what ends the region in keys of one text column; <see langword="null"/> if regions have a column of their own.</summary>
    internal char? Separator => _separator;

    /// <summary>Returns the shards of a region.</summary>
    /// <exception cref="ShardKeyException">The region is not known, and there is no default region.</exception>
    public IReadOnlyList<string> ShardsOfRegion(string region)
    {
        ArgumentNullException.ThrowIfNull(region);
        return _regions[NumberOf(region)].Shards;
    }

    /// <inheritdoc />
    protected override string FindShard(in ShardKey key)
    {
        var region = _regions[RegionOf(key)];
        return region.Shards.Length == 1 ? region.Shards[0] : Heaviest(region, HashOf(key));
    }

    /// <inheritdoc />
    protected override IReadOnlyList<string> FindShards(in ShardKey prefix) => Decides(prefix) ? [FindShard(prefix)] : _regions[RegionOf(prefix)].Shards;

    /// <inheritdoc />
    protected override string ExplainPlace(in ShardKey key)
    {
        var number = RegionOf(key);
        return string.Create(CultureInfo.InvariantCulture, $"region {number + 1} of {_regions.Length}{(number == _default ? ", the default" : string.Empty)}, hash among {_regions[number].Shards.Length} shards");
    }

    /// <inheritdoc />
    protected override IEnumerable<string> Describe() =>
    [
        _default < 0 ? "no default" : $"default {_regions[_default].Name}",
        _separator is { } separator ? $"separator {separator}" : "no separator",
        .. _regions.SelectMany(r => r.Shards.Prepend(r.Shards.Length.ToString(CultureInfo.InvariantCulture)).Prepend(r.Name)),
    ];

    private void Check(ShardMapFaults faults, ImmutableArray<Region> regions, string? defaultRegion, char? separator)
    {
        foreach (var name in regions.GroupBy(r => r.Name, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key))
        {
            faults.Add($"Region '{name}' is given more than once. Give it once, with all its shards.");
        }

        foreach (var region in regions)
        {
            if (region.Shards.IsEmpty)
            {
                faults.Add($"Region '{region.Name}' has no shards. Name at least one.");
            }

            if (region.Shards.Distinct(StringComparer.Ordinal).Count() != region.Shards.Length)
            {
                faults.Add($"Region '{region.Name}' names a shard more than once. Name it once.");
            }

            if (separator is { } mark && region.Name.Contains(mark, StringComparison.Ordinal))
            {
                faults.Add($"Region '{region.Name}' contains the separator '{mark}', and no key could name it. Choose another separator.");
            }

            if (separator is null && region.Shards.Length > 1 && (PrefixLength == 1 || KeyTypes.Count == 1))
            {
                faults.Add($"Region '{region.Name}' has {region.Shards.Length.ToString(CultureInfo.InvariantCulture)} shards, but keys name only the region and would all go to one. Add a column to the key or set 'separator'.");
            }
        }

        if (defaultRegion is not null && regions.All(r => r.Name != defaultRegion))
        {
            faults.Add($"The default region '{defaultRegion}' is not among the regions. Add it, or set 'defaultRegion' to one of them.");
        }

        if (KeyTypes.Count > 0 && KeyTypes[0] != ShardKeyType.Text)
        {
            faults.Add($"The first column of its keys is '{KeyTypes[0].SqlName()}', which cannot name a region. Put a text column first.");
        }
    }

    private static string Heaviest(in Region region, ulong hash)
    {
        var (best, heaviest) = (0, 0UL);
        for (var shard = 0; shard < region.Seeds.Length; shard++)
        {
            var weight = Mixed(hash ^ region.Seeds[shard]);
            if (weight > heaviest)
            {
                (best, heaviest) = (shard, weight);
            }
        }

        return region.Shards[best];
    }

    // The finalizer of MurmurHash3: every bit of the input changes every bit of the weight.
    private static ulong Mixed(ulong value)
    {
        value = (value ^ (value >> 33)) * 0xff51afd7ed558ccd;
        value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53;
        return value ^ (value >> 33);
    }

    private ulong HashOf(in ShardKey key) => key.ColumnCount > 1
        ? key.GetPartitionHash(from: 1)
        : _separator is not null
            ? key.GetPartitionHash()
            : throw ShardKeyErrors.WrongColumns(key, 2, orMore: true);

    private int RegionOf(in ShardKey key)
    {
        if (key.TypeOf(0) != ShardKeyType.Text)
        {
            throw ShardKeyErrors.WrongType(key, KeyTypes.Count > 0 ? KeyTypes : [ShardKeyType.Text]);
        }

        var text = key.GetText().AsSpan();
        var end = _separator is { } separator && key.ColumnCount == 1 ? text.IndexOf(separator) : -1;
        return NumberOf(end < 0 ? text : text[..end]);
    }

    private int NumberOf(ReadOnlySpan<char> region) =>
        _numbersBySpan.TryGetValue(region, out var number) ? number
        : _default >= 0 ? _default
        : throw new ShardKeyException(
            ShardKeyRefusal.UnknownRegion,
            string.Create(
                CultureInfo.InvariantCulture,
                $"A shard was asked for with a key that names none of the {_regions.Length} regions of the shard map, version {Version}. Add the region to the map, or set 'defaultRegion'."));

    private readonly record struct Region(string Name, ImmutableArray<string> Shards)
    {
        public ImmutableArray<ulong> Seeds { get; } = [.. Shards.Select(s => Mixed(PartitionHash.Of(Encoding.UTF8.GetBytes(s ?? string.Empty))))];
    }
}
