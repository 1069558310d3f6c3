using System.Globalization;
using System.Text;
using EfScaling.Sharding;

namespace EfScaling.Routing.Shards;

/// <summary>Says in words which shards the rows of a command are on and which conditions say so, a line for each table.</summary>
/// <remarks>Names columns, parameters, buckets and shards; never values of keys, which may be personal data.</remarks>
internal static class ShardExplanation
{
    // A list of keys is told by its first ones.
    private const int MostKeys = 8;

    /// <summary>Returns the lines.</summary>
    /// <param name="plan">What the SQL says.</param>
    /// <param name="parameters">The values of the parameters as EF keeps them.</param>
    /// <param name="picture">The maps by which it is decided.</param>
    /// <param name="defaultShard">The name of the shard of all that is not sharded.</param>
    public static string Of(ShardPlan plan, IReadOnlyDictionary<string, object?> parameters, ShardPicture picture, string defaultShard)
    {
        var text = new StringBuilder();
        foreach (var table in plan.Tables.DistinctBy(t => (t.Name, Condition(t))))
        {
            text.Append(CultureInfo.InvariantCulture, $"  {table.Name}: ");
            AppendPlace(text, table, parameters, picture, defaultShard);
            text.Append('\n');
        }

        return text.Length > 0 || plan.Opaque is not null ? text.ToString() : "  every shard has what the query reads\n";
    }

    private static void AppendPlace(StringBuilder text, PlacedTable table, IReadOnlyDictionary<string, object?> parameters, ShardPicture picture, string defaultShard)
    {
        if (table.Table.Placement == TablePlacement.DefaultShard)
        {
            text.Append(CultureInfo.InvariantCulture, $"not sharded -> shard '{defaultShard}'");
            return;
        }

        text.Append(Condition(table));
        if (!table.IsKnown)
        {
            return;
        }

        var map = picture.Maps[table.Table.Map];
        if (table.Bucket is { } bucket)
        {
            AppendBuckets(text, map, ShardResolver.BucketsOf(map, bucket, parameters));
            return;
        }

        switch (ShardResolver.KeysOf(table, parameters))
        {
            case null:
                text.Append(" -> too many keys to look up -> every shard");
                break;
            case []:
                text.Append(" -> no row can have that key");
                break;
            case [var key]:
                text.Append(" -> ").Append(map.ExplainWithoutKey(key));
                break;
            case var keys:
                foreach (var key in keys.Take(MostKeys))
                {
                    text.Append("\n    ").Append(map.ExplainWithoutKey(key));
                }

                if (keys.Count > MostKeys)
                {
                    text.Append(CultureInfo.InvariantCulture, $"\n    and {keys.Count - MostKeys} more keys");
                }

                break;
        }
    }

    private static void AppendBuckets(StringBuilder text, ShardMap map, IReadOnlyList<int>? buckets)
    {
        switch (buckets)
        {
            case null:
                text.Append(" -> too many ids to look up -> every shard");
                break;
            case []:
                text.Append(" -> no row can have that id");
                break;
            default:
                foreach (var bucket in buckets.Take(MostKeys))
                {
                    text.Append(CultureInfo.InvariantCulture, $"{(buckets.Count > 1 ? "\n    " : " -> ")}bucket {bucket} of {map.BucketCount} -> shard '{string.Join("' or '", map.ShardsOfBucket(bucket))}'");
                }

                if (buckets.Count > MostKeys)
                {
                    text.Append(CultureInfo.InvariantCulture, $"\n    and {buckets.Count - MostKeys} more buckets");
                }

                break;
        }
    }

    private static string Condition(PlacedTable table) =>
        table.Bucket is { } bucket
            ? bucket.Key.IsEmpty ? $"an id {Values([.. bucket.Ids])}" : $"in the bucket of {string.Join(" and ", bucket.Key.Select((terms, column) => $"{bucket.Table.Key[column].Name} {Values([.. terms])}"))}"
            : table.IsKnown
            ? string.Join(" and ", table.Key.Select((terms, column) => $"{table.Table.Key[column].Name} {Values([.. terms])}"))
            : $"nothing says which {string.Join(", ", table.Table.Key.Select(c => c.Name))} its rows have";

    private static string Values(KeyTerm[] terms) =>
        terms is [{ IsMany: false } only] ? $"= {Name(only)}" : $"in ({string.Join(", ", terms.Select(Name).Distinct())})";

    private static string Name(KeyTerm term) => term.Parameter is { } parameter ? $"@{parameter}" : term.IsMany ? "values of the query" : "a value of the query";
}
