using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EfScaling.Sharding.Catalog;

/// <summary>A shard map as the catalog has it.</summary>
/// <param name="Name">The name of the map; empty for the one without a name.</param>
/// <param name="Version">The version of the map.</param>
/// <param name="Fingerprint">The fingerprint of the map.</param>
/// <param name="Map">The map; <see langword="null"/> if it is one of the application's own, whose rules the catalog cannot hold.</param>
/// <param name="Ownership">What shards must own for it to be right.</param>
/// <remarks>Immutable and thread-safe.</remarks>
internal sealed record CatalogMap(string Name, long Version, string Fingerprint, ShardMap? Map, MapOwnership Ownership)
{
    /// <summary>Returns the entry of a first map.</summary>
    public static CatalogMap First(string name, ShardMap map) => new(
        name,
        map.Version,
        map.Fingerprint,
        ShardMapJson.Write(map) is null ? null : map,
        new MapOwnership([.. Enumerable.Repeat(map.Version, map.BucketCount)], map.Shards.ToFrozenDictionary(s => s, _ => map.Version, StringComparer.Ordinal)));

    /// <summary>Writes the entry.</summary>
    public JsonObject ToJson() => new()
    {
        ["name"] = Name,
        ["version"] = Version,
        ["fingerprint"] = Fingerprint,
        ["map"] = Map is null ? null : ShardMapJson.Write(Map),
        ["buckets"] = ShardMapJson.WriteRuns(Ownership.Buckets),
        ["shards"] = new JsonObject(Ownership.Shards.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => KeyValuePair.Create(s.Key, (JsonNode?)JsonValue.Create(s.Value)))),
    };

    /// <summary>Reads an entry.</summary>
    /// <exception cref="FormatException">It is not what <see cref="ToJson"/> writes, or its map has another fingerprint than it says.</exception>
    public static CatalogMap Parse(string text)
    {
        try
        {
            return From(JsonNode.Parse(text)!);
        }
        catch (JsonException exception)
        {
            throw new FormatException("A shard map is no JSON.", exception);
        }
    }

    /// <inheritdoc cref="Parse" />
    public static CatalogMap From(JsonNode json)
    {
        try
        {
            var map = json["map"] is { } written ? ShardMapJson.Read(written) : null;
            var entry = new CatalogMap(
                json["name"]!.GetValue<string>(),
                json["version"]!.GetValue<long>(),
                json["fingerprint"]!.GetValue<string>(),
                map,
                new MapOwnership(
                    [.. ShardMapJson.ReadRuns(json["buckets"])],
                    json["shards"]!.AsObject().ToFrozenDictionary(s => s.Key, s => s.Value!.GetValue<long>(), StringComparer.Ordinal)));
            return map is null || (map.Fingerprint == entry.Fingerprint && map.Version == entry.Version && map.BucketCount == entry.Ownership.Buckets.Length)
                ? entry
                : throw new FormatException($"The shard map '{entry.Name}' does not have the fingerprint that was written with it.");
        }
        catch (Exception exception) when (exception is NullReferenceException or InvalidOperationException)
        {
            throw new FormatException("A shard map is not written as this version of EfScaling reads it.", exception);
        }
    }
}
