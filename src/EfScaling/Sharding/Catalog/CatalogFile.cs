using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EfScaling.Sharding.Catalog;

/// <summary>Keeps the last known maps on disk, for a start while the catalog is down.</summary>
/// <remarks>
/// A first line with the digest of the rest, then JSON. Written beside the file and moved over it, so that a reader finds either the old or the new maps
/// whole. Thread-safe; several processes may share a file.
/// </remarks>
internal sealed class CatalogFile(string path)
{
    /// <summary>Gets the path.</summary>
    public string Path => path;

    /// <summary>Keeps a reading.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public void Write(CatalogReading reading)
    {
        var json = new JsonObject
        {
            ["format"] = CatalogSql.Format,
            ["id"] = reading.Id,
            ["epoch"] = reading.Epoch,
            ["maps"] = new JsonArray([.. reading.Maps.Select(m => m.ToJson())]),
        }.ToJsonString();
        var beside = string.Create(CultureInfo.InvariantCulture, $"{path}.{Environment.ProcessId}-{Guid.NewGuid():N}");
        try
        {
            using (var stream = new FileStream(beside, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                stream.Write(Encoding.UTF8.GetBytes($"{DigestOf(json)}\n{json}"));
                stream.Flush(flushToDisk: true);
            }

            File.Move(beside, path, overwrite: true);
        }
        catch
        {
            File.Delete(beside);
            throw;
        }
    }

    /// <summary>Reads what was kept last.</summary>
    /// <returns>The maps and when they were written; <see langword="null"/> if there is no file.</returns>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    /// <exception cref="FormatException">The file was damaged, or written by another version of the library.</exception>
    public (CatalogReading Reading, DateTime WrittenAt)? Read()
    {
        if (!File.Exists(path))
        {
            return null;
        }

        var text = File.ReadAllText(path);
        var end = text.IndexOf('\n', StringComparison.Ordinal);
        if (end < 0 || text[..end] != DigestOf(text[(end + 1)..]))
        {
            throw new FormatException("The file is damaged: its digest is another one than it says.");
        }

        try
        {
            var json = JsonNode.Parse(text[(end + 1)..])!;
            return json["format"]!.GetValue<int>() == CatalogSql.Format
                ? (new CatalogReading(json["id"]!.GetValue<long>(), json["epoch"]!.GetValue<long>(), [.. json["maps"]!.AsArray().Select(m => CatalogMap.From(m!))]), File.GetLastWriteTimeUtc(path))
                : throw new FormatException("The file was written by another version of EfScaling.");
        }
        catch (Exception exception) when (exception is JsonException or NullReferenceException or InvalidOperationException)
        {
            throw new FormatException("The file is not what this version of EfScaling writes.", exception);
        }
    }

    private static string DigestOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
