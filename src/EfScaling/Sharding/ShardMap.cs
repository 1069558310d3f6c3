using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace EfScaling.Sharding;

/// <summary>Tells the shard of each key.</summary>
/// <remarks>
/// Immutable and thread-safe: another placement is another map with a higher <see cref="Version"/>. Derive from it to place keys by a rule of your own; what is
/// overridden sees only keys that have passed the checks for null, type and number of columns, must always give the same answer, and must do no I/O.
/// </remarks>
public abstract class ShardMap
{
    private readonly ImmutableArray<ShardKeyType> _keyTypes;
    private string? _fingerprint;
    private bool? _keepsBucketsWhole;

    /// <summary>Creates the part that all maps have.</summary>
    /// <param name="shards">The names of all shards, each once.</param>
    /// <param name="keyTypes">The types of the key's columns; with a prefix length, at least those of the prefix. <see langword="null"/> takes any.</param>
    /// <param name="prefixLength">How many leading columns of a key decide; zero for all of them.</param>
    /// <param name="version">Grows with every change of the map; at least 1.</param>
    /// <exception cref="ArgumentException">Anything of this is wrong; the message has all faults.</exception>
    protected ShardMap(IEnumerable<string> shards, IEnumerable<ShardKeyType>? keyTypes = null, int prefixLength = 0, long version = 1)
        : this(null, shards, keyTypes, prefixLength, version)
    {
    }

    // With a collection of faults the caller adds its own and refuses the map.
    private protected ShardMap(ShardMapFaults? faults, IEnumerable<string> shards, IEnumerable<ShardKeyType>? keyTypes, int prefixLength, long version)
    {
        ArgumentNullException.ThrowIfNull(shards);
        Shards = shards.ToImmutableArray();
        _keyTypes = keyTypes?.ToImmutableArray() ?? [];
        PrefixLength = prefixLength;
        Version = version;
        var all = faults ?? new ShardMapFaults();
        Check(all);
        if (faults is null)
        {
            all.ThrowIfAny();
        }
    }

    /// <summary>Gets the version, which grows with every change.</summary>
    public long Version { get; }

    /// <summary>Gets the names of all shards, also of those that no key is placed on.</summary>
    public IReadOnlyList<string> Shards { get; }

    /// <summary>Gets the types that the columns of keys must have; empty if the map takes any.</summary>
    public IReadOnlyList<ShardKeyType> KeyTypes => _keyTypes;

    /// <summary>Gets how many leading columns of a key decide, so that rows which share them are on one shard; zero for all columns.</summary>
    public int PrefixLength { get; }

    /// <summary>Gets the number of buckets; zero if the map places keys without buckets.</summary>
    public virtual int BucketCount => 0;

    /// <summary>Gets the map that gives keys the buckets which a server computes as well; <see langword="null"/> if there are none.</summary>
    internal virtual HashShardMap? Buckets => null;

    /// <summary>Gets whether all keys of a bucket live on one shard, so that rows whose ids tell the same bucket are together.</summary>
    internal bool KeepsBucketsWhole => _keepsBucketsWhole ??= BucketCount > 0 && Enumerable.Range(0, BucketCount).All(b => ShardsOfBucket(b).Count == 1);

    /// <summary>Gets a digest of the whole map: equal for two processes exactly if their maps are.</summary>
    /// <remarks>Covers kind, version, shards in their order, key types and all rules; the same in every process and on every machine.</remarks>
    public string Fingerprint => _fingerprint ??= DigestOf([GetType().FullName!, .. Common(), .. Describe()]);

    /// <summary>Returns the shard of a key.</summary>
    /// <exception cref="ShardKeyException">The key is <see langword="default"/>, has other columns than the map's keys, or lies outside the map.</exception>
    public string ShardOf(in ShardKey key) => FindShard(Deciding(key));

    /// <summary>Returns the shards that may hold keys which begin with some columns.</summary>
    /// <param name="prefix">The first columns, or all; <see langword="default"/> for none, which gives all shards.</param>
    /// <returns>One shard if the columns decide; never empty unless no key with them has a shard.</returns>
    /// <remarks>A map without key types and prefix length cannot know whether more columns follow; ask it with <see cref="ShardOf"/> for a whole key.</remarks>
    /// <exception cref="ShardKeyException">The columns have other types than the map's keys.</exception>
    public IReadOnlyList<string> ShardsOf(in ShardKey prefix)
    {
        if (prefix.ColumnCount == 0)
        {
            return Shards;
        }

        CheckTypes(prefix);
        return FindShards(PrefixLength > 0 && prefix.ColumnCount > PrefixLength ? prefix.Prefix(PrefixLength) : prefix);
    }

    /// <summary>Returns the bucket of a key, which stays the same whatever shard it is moved to.</summary>
    /// <returns><see langword="null"/> if the map has no buckets.</returns>
    /// <exception cref="ShardKeyException">The key is <see langword="default"/>, or has other columns than the map's keys.</exception>
    public int? BucketOf(in ShardKey key)
    {
        var deciding = Deciding(key);
        return BucketCount > 0 ? FindBucket(deciding) : null;
    }

    /// <summary>Returns the shards that may hold keys of a bucket.</summary>
    /// <returns>One shard, or more if single keys of the bucket are placed elsewhere.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The map has no such bucket.</exception>
    public IReadOnlyList<string> ShardsOfBucket(int bucket)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bucket);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(bucket, BucketCount);
        return FindShardsOfBucket(bucket);
    }

    /// <summary>Tells in words which shard a key has and why, without its value.</summary>
    /// <exception cref="ShardKeyException">The key has no shard.</exception>
    public string Explain(in ShardKey key)
    {
        var deciding = Deciding(key);
        var columns = deciding.ColumnCount == key.ColumnCount ? string.Empty : string.Create(CultureInfo.InvariantCulture, $", first {deciding.ColumnCount} of its columns");
        return $"key ({key}){columns} -> {ExplainPlaceAndShard(deciding)}";
    }

    /// <summary>Tells in words which shard a key has and why, without the key.</summary>
    /// <exception cref="ShardKeyException">The key has no shard.</exception>
    internal string ExplainWithoutKey(in ShardKey key) => ExplainPlaceAndShard(Deciding(key));

    /// <summary>Returns the shard of a key, one of <see cref="Shards"/>.</summary>
    /// <param name="key">The columns that decide, checked.</param>
    /// <exception cref="ShardKeyException">Thrown by the rule if the key lies outside of it.</exception>
    protected abstract string FindShard(in ShardKey key);

    /// <summary>Returns the shards that may hold keys beginning with some columns; all, unless the rule knows better.</summary>
    /// <param name="prefix">At least one column, of checked type; at most those that decide.</param>
    protected virtual IReadOnlyList<string> FindShards(in ShardKey prefix) => Decides(prefix) ? [FindShard(prefix)] : Shards;

    /// <summary>Returns the bucket of a key; asked only if <see cref="BucketCount"/> is not zero. By default the partition hash modulo their number.</summary>
    /// <param name="key">The columns that decide, checked.</param>
    protected virtual int FindBucket(in ShardKey key) => (int)(key.GetPartitionHash() % (ulong)BucketCount);

    /// <summary>Returns the shards that may hold keys of a bucket; all, unless the rule knows better.</summary>
    /// <param name="bucket">A bucket of the map.</param>
    protected virtual IReadOnlyList<string> FindShardsOfBucket(int bucket) => Shards;

    /// <summary>Tells in a few words by what the key is placed, such as <c>bucket 5 of 1024</c>. Must not show values of the key.</summary>
    /// <param name="key">The columns that decide, checked.</param>
    protected abstract string ExplainPlace(in ShardKey key);

    /// <summary>Returns lines that together say all the rules of the map: two maps that place any key differently differ in a line.</summary>
    protected abstract IEnumerable<string> Describe();

    /// <summary>Tells whether some columns are enough to know the shard.</summary>
    protected bool Decides(in ShardKey prefix) =>
        PrefixLength > 0 ? prefix.ColumnCount >= PrefixLength : !_keyTypes.IsEmpty && prefix.ColumnCount == _keyTypes.Length;

    private static string DigestOf(IEnumerable<string> lines)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var line in lines)
        {
            // The length first, so that no two lists of lines run together to the same bytes.
            var bytes = Encoding.UTF8.GetBytes(line);
            hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{bytes.Length}:")));
            hash.AppendData(bytes);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }

    private string ExplainPlaceAndShard(in ShardKey deciding) =>
        string.Create(CultureInfo.InvariantCulture, $"{ExplainPlace(deciding)} -> shard '{FindShard(deciding)}' (map version {Version})");

    private IEnumerable<string> Common() =>
    [
        string.Create(CultureInfo.InvariantCulture, $"version {Version}, prefix {PrefixLength}, buckets {BucketCount}, shards {Shards.Count}"),
        .. Shards,
        ShardKeyErrors.Names(_keyTypes),
    ];

    private ShardKey Deciding(in ShardKey key)
    {
        if (key.ColumnCount == 0)
        {
            throw ShardKeyErrors.Missing();
        }

        if (key.ColumnCount < PrefixLength || (PrefixLength == 0 && !_keyTypes.IsEmpty && key.ColumnCount != _keyTypes.Length))
        {
            throw ShardKeyErrors.WrongColumns(key, PrefixLength > 0 ? PrefixLength : _keyTypes.Length, orMore: PrefixLength > 0);
        }

        CheckTypes(key);
        return PrefixLength == 0 || PrefixLength == key.ColumnCount ? key : key.Prefix(PrefixLength);
    }

    private void CheckTypes(in ShardKey key)
    {
        if (_keyTypes.IsEmpty)
        {
            return;
        }

        if (PrefixLength == 0 && key.ColumnCount > _keyTypes.Length)
        {
            throw ShardKeyErrors.WrongColumns(key, _keyTypes.Length, orMore: false);
        }

        // Columns beyond the declared ones do not decide, and so their types do not matter.
        for (var column = 0; column < Math.Min(key.ColumnCount, _keyTypes.Length); column++)
        {
            if (key.TypeOf(column) != _keyTypes[column])
            {
                throw ShardKeyErrors.WrongType(key, _keyTypes);
            }
        }
    }

    private void Check(ShardMapFaults faults)
    {
        if (Shards.Count == 0)
        {
            faults.Add("It has no shards. Name at least one.");
        }

        if (Shards.Any(string.IsNullOrWhiteSpace))
        {
            faults.Add("A shard has an empty name. Give each shard a name.");
        }

        foreach (var name in Shards.Where(s => s is not null).GroupBy(s => s, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key))
        {
            faults.Add($"Shard '{name}' is named more than once. Name it once.");
        }

        foreach (var type in _keyTypes.Where(t => !Enum.IsDefined(t)))
        {
            faults.Add(string.Create(CultureInfo.InvariantCulture, $"{(int)type} is not a type of shard keys. Use a value of 'ShardKeyType'."));
        }

        if (_keyTypes.Length > ShardKey.MaxColumns)
        {
            faults.Add(string.Create(CultureInfo.InvariantCulture, $"Its keys have {_keyTypes.Length} columns, and {ShardKey.MaxColumns} are the most. Declare the leading columns only and set 'prefixLength'."));
        }

        if (PrefixLength < 0 || PrefixLength > (_keyTypes.IsEmpty ? ShardKey.MaxColumns : _keyTypes.Length))
        {
            faults.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"Its prefix length is {PrefixLength}. Set 'prefixLength' from 0, for all columns, to the number of columns of the key, at most {ShardKey.MaxColumns}."));
        }

        if (Version < 1)
        {
            faults.Add(string.Create(CultureInfo.InvariantCulture, $"Its version is {Version}. Set 'version' to 1 or more."));
        }
    }
}
