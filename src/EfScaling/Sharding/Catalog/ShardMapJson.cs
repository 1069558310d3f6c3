using System.Text.Json.Nodes;

namespace EfScaling.Sharding.Catalog;

/// <summary>Writes shard maps as JSON and reads them back with the same fingerprint.</summary>
internal static class ShardMapJson
{
    /// <summary>Writes a map.</summary>
    /// <returns><see langword="null"/> for a map of the application's own, whose rules are code.</returns>
    public static JsonObject? Write(ShardMap map)
    {
        JsonObject? written = map switch
        {
            HashShardMap hash => new() { ["kind"] = "hash", ["assignment"] = AssignmentOf(hash) },
            RangeShardMap range => new() { ["kind"] = "range", ["ranges"] = RangesOf(range) },
            RingShardMap ring => new() { ["kind"] = "ring", ["virtualNodes"] = ring.VirtualNodes },
            GeographicShardMap geographic => new()
            {
                ["kind"] = "geographic",
                ["regions"] = new JsonArray([.. geographic.Regions.Select(r => new JsonObject { ["name"] = r, ["shards"] = Texts(geographic.ShardsOfRegion(r)) })]),
                ["defaultRegion"] = geographic.DefaultRegion,
                ["separator"] = geographic.Separator?.ToString(),
            },
            DirectoryShardMap directory when Write(directory.Fallback) is { } fallback => new()
            {
                ["kind"] = "directory",
                ["fallback"] = fallback,
                ["pins"] = new JsonArray([.. directory.Pins.OrderBy(p => p.Key.ToStringWithValues(), StringComparer.Ordinal).Select(p => new JsonObject { ["key"] = KeyOf(p.Key), ["shard"] = p.Value })]),
                ["dedicatedShards"] = Texts(directory.Shards.Skip(directory.Fallback.Shards.Count)),
            },
            _ => null,
        };
        if (written is null)
        {
            return null;
        }

        written["version"] = map.Version;
        written["shards"] = Texts(map.Shards);
        written["keyTypes"] = Texts(map.KeyTypes.Select(t => t.SqlName()));
        written["prefixLength"] = map.PrefixLength;
        return written;
    }

    /// <summary>Reads a map.</summary>
    /// <exception cref="FormatException">The JSON is not what <see cref="Write"/> writes.</exception>
    public static ShardMap Read(JsonNode json)
    {
        try
        {
            var version = json["version"]!.GetValue<long>();
            var prefix = json["prefixLength"]!.GetValue<int>();
            string[] shards = [.. TextsOf(json["shards"])];
            ShardKeyType[] types = [.. TextsOf(json["keyTypes"]).Select(TypeOf)];
            return json["kind"]!.GetValue<string>() switch
            {
                "hash" => new HashShardMap(shards, [.. ReadRuns(json["assignment"]).Select(s => shards[(int)s])], types, prefix, version),
                "range" => new RangeShardMap(json["ranges"]!.AsArray().Select(r => new ShardRange(ReadKey(r!["from"]), ReadKey(r["to"]), r["shard"]!.GetValue<string>())), version),
                "ring" => new RingShardMap(shards, json["virtualNodes"]!.GetValue<int>(), types, prefix, version),
                "geographic" => new GeographicShardMap(
                    json["regions"]!.AsArray().Select(r => KeyValuePair.Create(r!["name"]!.GetValue<string>(), (IReadOnlyList<string>)[.. TextsOf(r["shards"])])),
                    json["defaultRegion"]?.GetValue<string>(),
                    json["separator"]?.GetValue<string>()[0],
                    types,
                    prefix,
                    version),
                "directory" => new DirectoryShardMap(
                    Read(json["fallback"]!),
                    json["pins"]!.AsArray().Select(p => KeyValuePair.Create(ReadKey(p!["key"])!.Value, p["shard"]!.GetValue<string>())),
                    TextsOf(json["dedicatedShards"]),
                    version),
                var kind => throw new FormatException($"A shard map is of kind '{kind}', which this version of EfScaling does not know."),
            };
        }
        catch (Exception exception) when (exception is NullReferenceException or InvalidOperationException or ArgumentException or KeyNotFoundException or IndexOutOfRangeException or ShardKeyException)
        {
            throw new FormatException("A shard map is not written as this version of EfScaling reads it.", exception);
        }
    }

    /// <summary>Writes numbers as runs of equal ones: pairs of the number and how often it follows.</summary>
    public static JsonArray WriteRuns(IEnumerable<long> numbers)
    {
        var runs = new JsonArray();
        var (present, count) = (0L, 0);
        foreach (var number in numbers)
        {
            if (count > 0 && number != present)
            {
                runs.Add(new JsonArray(present, count));
                count = 0;
            }

            (present, count) = (number, count + 1);
        }

        if (count > 0)
        {
            runs.Add(new JsonArray(present, count));
        }

        return runs;
    }

    /// <summary>Reads what <see cref="WriteRuns"/> has written.</summary>
    public static IEnumerable<long> ReadRuns(JsonNode? runs) =>
        runs!.AsArray().SelectMany(r => Enumerable.Repeat(r![0]!.GetValue<long>(), r[1]!.GetValue<int>()));

    private static JsonArray AssignmentOf(HashShardMap map)
    {
        var numbers = map.Shards.Select((shard, number) => (shard, number)).ToDictionary(s => s.shard, s => (long)s.number, StringComparer.Ordinal);
        return WriteRuns(map.Assignment.Select(s => numbers[s]));
    }

    // In the order of the shards, which the map takes from its ranges.
    private static JsonArray RangesOf(RangeShardMap map) => new(
        [.. map.Ranges.OrderBy(r => map.Shards.TakeWhile(s => s != r.Shard).Count()).Select(r => new JsonObject { ["from"] = KeyOf(r.From), ["to"] = KeyOf(r.To), ["shard"] = r.Shard })]);

    private static JsonArray? KeyOf(ShardKey? key) =>
        key is { } known ? new JsonArray([.. Enumerable.Range(0, known.ColumnCount).Select(c => new JsonArray(known.TypeOf(c).SqlName(), known.ToStored(c)))]) : null;

    private static ShardKey? ReadKey(JsonNode? json) =>
        json is null ? null : ShardKey.Composite([.. json.AsArray().Select(c => ShardKey.FromStored(TypeOf(c![0]!.GetValue<string>()), c[1]!.GetValue<string>()))]);

    private static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(t => JsonValue.Create(t))]);

    private static IEnumerable<string> TextsOf(JsonNode? json) => json!.AsArray().Select(t => t!.GetValue<string>());

    private static ShardKeyType TypeOf(string name) => Enum.GetValues<ShardKeyType>().First(t => t.SqlName() == name);
}
