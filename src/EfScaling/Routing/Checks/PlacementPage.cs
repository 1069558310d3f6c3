using System.Globalization;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Checks;

/// <summary>The statement that looks at the next rows of a sharded table, in the order of its primary key.</summary>
/// <remarks>
/// A row of the result: how many rows the page has; the values of the primary key as text, from which the next page goes on; the shard key, or the id that tells the bucket of a row without one. Where the map has buckets the
/// server leaves out the rows that are in one of the shard alone. The last row of the page is always there.
/// </remarks>
internal sealed class PlacementPage
{
    private readonly string _select;
    private readonly string _rest;
    private readonly string _after;

    public PlacementPage(ITable table, ShardedTable place, HashShardMap? buckets, ISqlGenerationHelper sql)
    {
        Order = [.. table.PrimaryKey?.Columns ?? []];
        var columns = Order.Select(c => sql.DelimitIdentifier(c.Name)).ToList();
        var keys = (place.Key.IsEmpty ? place.Ids.Take(1).Select(c => c.Name) : place.Key.Select(c => c.Name)).Select(sql.DelimitIdentifier).ToList();
        var bucket = buckets is null
            ? "NULL::bigint"
            : place.Key.IsEmpty ? ShardedId.BucketSql(keys[0])
            : BucketExpression.Of([.. place.Key.Take(buckets.PrefixLength == 0 ? place.Key.Length : buckets.PrefixLength).Select(c => (sql.DelimitIdentifier(c.Name), c.Type))], buckets.BucketCount);
        string[] page = [.. columns.Select((c, i) => $"{c}::text AS p{Number(i)}"), .. keys.Select((k, i) => $"{k} AS k{Number(i)}")];
        var order = columns.Count == 0 ? string.Empty : $"ORDER BY {string.Join(", ", columns)}";

        _select = $"""
            WITH page AS MATERIALIZED (
                SELECT {string.Join(", ", page)}, {bucket} AS bucket, row_number() OVER ({order}) AS number
                FROM {sql.DelimitIdentifier(table.Name, table.Schema)}
            """;
        _after = $"\n    WHERE ({string.Join(", ", columns)}) > ({string.Join(", ", Order.Select((c, i) => $"${Number(i + 3)}::text::{c.StoreType}"))})";
        _rest = $"""

                {order} LIMIT $1)
            SELECT count, {string.Join(", ", page.Select(p => p[(p.LastIndexOf(' ') + 1)..]))}
            FROM (SELECT *, count(*) OVER () AS count FROM page) AS counted
            WHERE bucket IS NULL OR number = count OR bucket <> ALL ($2)
            """;
    }

    /// <summary>Gets the columns of the primary key; empty if the table has none, and is looked at in one page.</summary>
    public IReadOnlyList<IColumn> Order { get; }

    /// <summary>Returns the statement for the first page, or for those after it.</summary>
    public string Sql(bool isFirst) => isFirst ? _select + _rest : _select + _after + _rest;

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
