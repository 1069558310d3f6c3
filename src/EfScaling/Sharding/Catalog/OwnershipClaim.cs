using System.Data.Common;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Sharding.Catalog;

/// <summary>What a command takes for granted that its shard owns, to be proven there in the same snapshot or transaction.</summary>
/// <param name="picture">The picture by which the shard is found.</param>
/// <param name="shard">The shard, unless <see cref="Shard"/> says another.</param>
/// <remarks>Not thread-safe; made for one command.</remarks>
internal sealed class OwnershipClaim(ShardPicture picture, string shard)
{
    // A command that names more buckets claims the shard as a whole, which is as certain and less work.
    private const int MostBuckets = 64;

    private readonly List<(string Map, int Bucket)> _items = new(1);
    private bool _isWhole;

    /// <summary>Gets or sets the shard.</summary>
    public string Shard { get; set; } = shard;

    /// <summary>Gets whether nothing is claimed.</summary>
    public bool IsEmpty => _items.Count == 0;

    /// <summary>Gets what is claimed.</summary>
    public IEnumerable<(string Map, int Bucket, long Version)> Items => _items.Select(i => (i.Map, i.Bucket, VersionOf(i)));

    /// <summary>Claims a bucket of a map, or <see cref="MapOwnership.WholeShard"/>.</summary>
    public void Add(string map, int bucket)
    {
        if (_isWhole)
        {
            bucket = MapOwnership.WholeShard;
        }

        if (_items.Contains((map, bucket)))
        {
            return;
        }

        _items.Add((map, bucket));
        if (_items.Count > MostBuckets && !_isWhole)
        {
            _isWhole = true;
            string[] maps = [.. _items.Select(i => i.Map).Distinct(StringComparer.Ordinal)];
            _items.Clear();
            _items.AddRange(maps.Select(m => (m, MapOwnership.WholeShard)));
        }
    }

    /// <summary>Makes a command prove on its shard what is claimed.</summary>
    /// <param name="command">The command, complete but for that.</param>
    /// <param name="isRead">Whether it is a read, which has the guard in its text already; that is the same whatever is claimed.</param>
    /// <exception cref="InvalidOperationException">The command cannot carry the proof.</exception>
    public void Prove(DbCommand command, bool isRead)
    {
        if (command is not NpgsqlCommand proven)
        {
            throw new InvalidOperationException(
                $"A command on a shard was replaced by a '{command.GetType().Name}', which cannot prove that the shard owns its rows. Do not replace commands in interceptors, or use sharding without UseCatalog(...).");
        }

        if (!isRead)
        {
            proven.CommandText = OwnershipSql.Guard(proven.CommandText)
                ?? throw new InvalidOperationException(
                    "A write to a sharded table neither inserts, updates nor deletes by a statement of EF, and the catalog cannot guard it. Map the entity to a table instead of stored procedures, or use sharding without UseCatalog(...).");
        }

        AddTo(proven.Parameters);
    }

    private void AddTo(NpgsqlParameterCollection parameters)
    {
        // All take locks in the same order, whatever the culture of their process.
        _items.Sort(static (x, y) => string.CompareOrdinal(x.Map, y.Map) is not 0 and var order ? order : x.Bucket.CompareTo(y.Bucket));
        var (maps, buckets, versions) = (new string[_items.Count], new int[_items.Count], new long[_items.Count]);
        for (var i = 0; i < maps.Length; i++)
        {
            (maps[i], buckets[i]) = _items[i];
            versions[i] = VersionOf(_items[i]);
        }

        parameters.Add(new NpgsqlParameter<string[]>(OwnershipSql.Maps, NpgsqlDbType.Array | NpgsqlDbType.Text) { TypedValue = maps });
        parameters.Add(new NpgsqlParameter<int[]>(OwnershipSql.Buckets, NpgsqlDbType.Array | NpgsqlDbType.Integer) { TypedValue = buckets });
        parameters.Add(new NpgsqlParameter<long[]>(OwnershipSql.Versions, NpgsqlDbType.Array | NpgsqlDbType.Bigint) { TypedValue = versions });
    }

    private long VersionOf((string Map, int Bucket) item) => picture.Ownership![item.Map].VersionOf(Shard, item.Bucket);
}
