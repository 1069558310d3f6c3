using EfScaling.Topology;

namespace EfScaling.Caching;

/// <summary>What the cache knows of the database at a version of its schema. Immutable.</summary>
/// <param name="Identity">The database.</param>
/// <param name="KeyPrefix">The first part of all keys of the database in the store.</param>
/// <param name="Catalog">Its tables.</param>
/// <param name="SchemaVersion">The version of the schema, read before the catalog was.</param>
/// <param name="Incarnation">The life of the store that the version is from.</param>
internal sealed record CacheState(ServerIdentity Identity, string KeyPrefix, TableCatalog Catalog, long SchemaVersion, long Incarnation)
{
    /// <summary>Position of <see cref="SchemaKey"/> among the versions of every query.</summary>
    public const int SchemaIndex = 1;

    /// <summary>Gets the key of the version that writes to unknown tables bump; every query depends on it.</summary>
    public string DataKey { get; } = DataKeyOf(KeyPrefix);

    /// <summary>Gets the key of the version of the schema; every query depends on it.</summary>
    public string SchemaKey { get; } = SchemaKeyOf(KeyPrefix);

    /// <summary>Gets the key under which writers announce themselves.</summary>
    public string WritersKey { get; } = KeyPrefix + "i";

    /// <summary>Returns <see cref="DataKey"/> of a database whose catalog is not known yet.</summary>
    public static string DataKeyOf(string keyPrefix) => keyPrefix + "w";

    /// <summary>Returns <see cref="SchemaKey"/> of a database whose catalog is not known yet.</summary>
    public static string SchemaKeyOf(string keyPrefix) => keyPrefix + "d";

    /// <summary>Returns the key of a table's version.</summary>
    /// <param name="table">The table, with its schema.</param>
    public string KeyOf(TableName table) => $"{KeyPrefix}v:{table.Key}";

    /// <summary>Returns the key of a tag's version.</summary>
    public string KeyOfTag(string tag) => $"{KeyPrefix}g:{Uri.EscapeDataString(tag)}";

    /// <summary>Returns the key of a result.</summary>
    public string KeyOfResult(UInt128 query) => $"{KeyPrefix}q:{query:x32}";

    /// <summary>Returns the key of the right to load a result.</summary>
    public string KeyOfLease(UInt128 query) => $"{KeyPrefix}l:{query:x32}";

    /// <summary>Returns whether an answer of the store is about the schema that the catalog shows.</summary>
    /// <param name="reading">The answer, with the versions of a query.</param>
    public bool IsOf(in CacheReading reading) => reading.Incarnation == Incarnation && reading.Versions[SchemaIndex] == SchemaVersion;

    /// <summary>Returns whether an answer about <see cref="SchemaKey"/> alone names the schema that the catalog shows.</summary>
    public bool IsCurrent(in CacheReading reading) => reading.Failure is null && reading.Incarnation == Incarnation && reading.Versions[0] == SchemaVersion;

    /// <summary>Returns what makes all results old that were kept under another state: <c>store</c>, <c>database</c> or <c>schema</c>; <see langword="null"/> if nothing does.</summary>
    public string? DifferenceFrom(CacheState former) =>
        Incarnation != former.Incarnation ? "store"
            : Identity != former.Identity ? "database"
            : SchemaVersion != former.SchemaVersion ? "schema"
            : null;

    /// <summary>Returns the keys that a write bumps.</summary>
    /// <param name="writes">The tables that it wrote to.</param>
    /// <param name="isUnknown">Whether it may have written to others.</param>
    /// <param name="changesSchema">Whether it may have changed the schema.</param>
    public HashSet<string> KeysOf(IEnumerable<(TableName Table, WriteKind Kind)> writes, bool isUnknown, bool changesSchema)
    {
        var keys = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (table, kind) in writes)
        {
            if (Catalog.WriteSet(table, kind) is { } written)
            {
                keys.UnionWith(written.Select(KeyOf));
            }
            else
            {
                isUnknown = true;
            }
        }

        if (isUnknown)
        {
            keys.Add(DataKey);
        }

        if (changesSchema)
        {
            keys.Add(SchemaKey);
        }

        return keys;
    }
}
