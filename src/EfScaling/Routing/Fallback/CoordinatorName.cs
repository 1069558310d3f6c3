using System.Security.Cryptography;
using System.Text;

namespace EfScaling.Routing.Fallback;

/// <summary>Names what the fallback coordinator has, each the same whenever and wherever it is made.</summary>
internal static class CoordinatorName
{
    /// <summary>The schema of the views that have system columns.</summary>
    public const string Versions = "efscaling:versions";

    // PostgreSQL cuts off what is longer.
    private const int MaxBytes = 63;
    private const int HashCharacters = 16;

    /// <summary>Returns the name of the server that a shard is.</summary>
    public static string OfServer(string shard) => Join("efscaling", shard);

    /// <summary>Returns the name of the schema with the foreign tables of a schema of a shard.</summary>
    public static string OfSchema(string shard, string schema) => Join("efscaling", shard, schema);

    /// <summary>Returns the name of the view that has the system columns of a table.</summary>
    public static string OfVersions(string? schema, string table) => Join(schema ?? string.Empty, table);

    /// <summary>Returns the name under which the foreign table has a system column.</summary>
    public static string OfSystemColumn(string column) => Join("efscaling", column);

    /// <summary>Quotes a name.</summary>
    public static string Of(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    /// <summary>Quotes the name of a table.</summary>
    public static string Of(string? schema, string table) => schema is null ? Of(table) : $"{Of(schema)}.{Of(table)}";

    // With a hash where the parts could not be told apart, or would be cut off.
    private static string Join(params string[] parts)
    {
        var name = string.Join(':', parts);
        if (Encoding.UTF8.GetByteCount(name) <= MaxBytes && !parts.SkipLast(1).Any(p => p.Contains(':', StringComparison.Ordinal)))
        {
            return name;
        }

        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', parts))))[..HashCharacters];
        var start = new StringBuilder();
        foreach (var rune in name.EnumerateRunes().TakeWhile(r => Encoding.UTF8.GetByteCount(start.ToString()) + r.Utf8SequenceLength + 1 + HashCharacters <= MaxBytes))
        {
            start.Append(rune.ToString());
        }

        return $"{start}:{hash}";
    }
}
