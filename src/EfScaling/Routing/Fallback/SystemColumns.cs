using System.Collections.Frozen;

namespace EfScaling.Routing.Fallback;

/// <summary>The columns that PostgreSQL gives every table by itself, which entities can map and foreign tables do not pass on.</summary>
/// <remarks>PostgreSQL, "System Columns". No table can have other columns of these names.</remarks>
internal static class SystemColumns
{
    private static readonly FrozenDictionary<string, string> _types = new Dictionary<string, string>
    {
        ["tableoid"] = "oid",
        ["xmin"] = "xid",
        ["cmin"] = "cid",
        ["xmax"] = "xid",
        ["cmax"] = "cid",
        ["ctid"] = "tid",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Returns whether a column is one of them.</summary>
    public static bool Contains(string column) => _types.ContainsKey(column);

    /// <summary>Returns the type of one of them.</summary>
    public static string TypeOf(string column) => _types[column];
}
