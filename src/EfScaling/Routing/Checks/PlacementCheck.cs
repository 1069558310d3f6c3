using System.Collections.Frozen;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Checks;

/// <summary>Finds the rows that are not where they belong, and the copies of reference tables that differ.</summary>
/// <remarks>Rows are looked at page by page, so that no statement is long and no memory grows with the tables. A move of rows meanwhile may show them as misplaced. Thread-safe.</remarks>
internal sealed class PlacementCheck(ShardedDatabase database, ShardWork work, PlacementCheckOptions options, TimeProvider clock)
{
    // Tables of EfScaling itself have rows on every shard.
    private const string OwnSchema = "efscaling";

    /// <summary>Looks at all tables on all shards.</summary>
    /// <exception cref="ShardsFailedException">Some shards could not be looked at.</exception>
    public async Task<PlacementResult> RunAsync(CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        var maps = (await database.AskAsync(cancellationToken).ConfigureAwait(false) ?? database.Picture).Maps;
        var tables = await PlacesAsync(maps, cancellationToken).ConfigureAwait(false);
        var copies = await CopiesAsync(cancellationToken).ConfigureAwait(false);
        if (copies.Any(c => c.Difference is not null))
        {
            // A write that is under way reaches one shard after the other.
            copies = await CopiesAsync(cancellationToken).ConfigureAwait(false);
        }

        return new PlacementResult([.. tables, .. copies], clock.GetElapsedTime(started));
    }

    private async Task<IEnumerable<TablePlacementResult>> PlacesAsync(FrozenDictionary<string, ShardMap> maps, CancellationToken cancellationToken) =>
        await ForEachTableAsync(
            t => t.Placement != TablePlacement.Reference,
            (context, shard, table, place, token) => place.Placement == TablePlacement.Sharded
                ? RowsAsync(context, shard, table, place, maps[place.Map], token)
                : StraysAsync(context, shard, table, token),
            cancellationToken).ConfigureAwait(false);

    private async Task<IReadOnlyList<TablePlacementResult>> CopiesAsync(CancellationToken cancellationToken)
    {
        var digests = new Dictionary<(string Shard, string Table), string>();
        var copies = await ForEachTableAsync(
            t => t.Placement == TablePlacement.Reference,
            async (context, shard, table, _, token) =>
            {
                var (rows, digest) = await DigestAsync(context, table, token).ConfigureAwait(false);
                lock (digests)
                {
                    digests[(shard, NameOf(table))] = digest;
                }

                return new TablePlacementResult(shard, NameOf(table), TablePlacement.Reference, rows, 0, []);
            },
            cancellationToken).ConfigureAwait(false);
        return [.. copies.GroupBy(c => c.Table, StringComparer.Ordinal).SelectMany(table => Compare([.. table], digests))];
    }

    private static IEnumerable<TablePlacementResult> Compare(TablePlacementResult[] copies, Dictionary<(string Shard, string Table), string> digests)
    {
        var first = copies[0];
        return copies.Select(copy => copy with
        {
            Difference = copy.Rows != first.Rows ? FormattableString.Invariant($"it has {copy.Rows} rows, and {first.Rows} on shard '{first.Shard}'")
                : digests[(copy.Shard, copy.Table)] != digests[(first.Shard, first.Table)] ? $"its rows differ from those on shard '{first.Shard}'"
                : null,
        });
    }

    private async Task<IEnumerable<TablePlacementResult>> ForEachTableAsync(
        Func<ShardedTable, bool> isWanted,
        Func<DbContext, string, ITable, ShardedTable, CancellationToken, Task<TablePlacementResult?>> look,
        CancellationToken cancellationToken)
    {
        var results = await work.RunAsync(
            async (context, token) =>
            {
                var shard = context.GetService<ReadRouter>().ShardName!;
                var found = new List<TablePlacementResult>();
                foreach (var table in context.Model.GetRelationalModel().Tables.Where(t => t.Schema != OwnSchema).OrderBy(NameOf, StringComparer.Ordinal))
                {
                    var place = database.Model.Find(table.Schema, table.Name) ?? ShardedTable.OnDefaultShard;
                    if (isWanted(place) && await look(context, shard, table, place, token).ConfigureAwait(false) is { } result)
                    {
                        found.Add(result);
                    }
                }

                return found;
            },
            options.MaxParallel,
            progress: null,
            cancellationToken).ConfigureAwait(false);
        return ShardWork.Values("VerifyPlacementAsync", results).SelectMany(r => r);
    }

    private async Task<TablePlacementResult?> RowsAsync(DbContext context, string shard, ITable table, ShardedTable place, ShardMap map, CancellationToken cancellationToken)
    {
        var reader = new ShardReader(context, options.Contract);
        var page = new PlacementPage(table, place, map.Buckets, context.GetService<ISqlGenerationHelper>());
        long[] own = map.Buckets is null ? [] : [.. Enumerable.Range(0, map.BucketCount).Where(b => map.ShardsOfBucket(b) is [var only] && only == shard)];
        var examples = new List<MisplacedRow>();
        var (rows, misplaced) = (0L, 0L);
        object[]? last = null;
        while (true)
        {
            var count = 0L;
            object[] parameters = [page.Order.Count == 0 ? long.MaxValue : (long)options.PageSize, own, .. last ?? []];
            await reader.ReadAsync(
                page.Sql(isFirst: last is null),
                row =>
                {
                    count = row.GetInt64(0);
                    last = [.. page.Order.Select((_, i) => row.GetString(1 + i))];
                    var first = 1 + page.Order.Count;
                    var key = place.Key.IsEmpty
                        ? ShardKey.Of(row.GetInt64(first))
                        : ShardKey.Composite([.. place.Key.Select((c, i) => ShardKey.FromValue(row.GetValue(first + i), c.Type))]);
                    if ((place.Key.IsEmpty ? ShardOf(map, row.GetInt64(first), shard) : ShardOf(map, key)) is var belongs && belongs != shard)
                    {
                        misplaced++;
                        if (examples.Count < options.Examples)
                        {
                            examples.Add(new MisplacedRow(key, belongs));
                        }
                    }
                },
                parameters,
                cancellationToken).ConfigureAwait(false);
            rows += count;
            if (count < options.PageSize || page.Order.Count == 0)
            {
                return new TablePlacementResult(shard, NameOf(table), TablePlacement.Sharded, rows, misplaced, examples);
            }
        }
    }

    private async Task<TablePlacementResult?> StraysAsync(DbContext context, string shard, ITable table, CancellationToken cancellationToken)
    {
        if (shard == database.Options.Default.Name)
        {
            return null;
        }

        var rows = 0L;
        var name = context.GetService<ISqlGenerationHelper>().DelimitIdentifier(table.Name, table.Schema);
        await new ShardReader(context, options.Contract).ReadAsync($"SELECT count(*) FROM {name}", row => rows = row.GetInt64(0), [], cancellationToken).ConfigureAwait(false);
        return new TablePlacementResult(shard, NameOf(table), TablePlacement.DefaultShard, rows, rows, []);
    }

    // The text of a row depends on settings, which may differ between the databases, and its hash on nothing else.
    private async Task<(long Rows, string Digest)> DigestAsync(DbContext context, ITable table, CancellationToken cancellationToken)
    {
        var sql = context.GetService<ISqlGenerationHelper>();
        var columns = table.Columns.Where(c => c.Name != "xmin").OrderBy(c => c.Name, StringComparer.Ordinal).Select(c => sql.DelimitIdentifier(c.Name));
        var (rows, digest) = (0L, string.Empty);
        await new ShardReader(context, options.Contract).ReadAsync(
            $"""
            SELECT count(*), coalesce(sum(hashtextextended(ROW({string.Join(", ", columns)})::text, 0)::numeric), 0)::text
            FROM {sql.DelimitIdentifier(table.Name, table.Schema)},
                 (SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true), set_config('IntervalStyle', 'iso_8601', true),
                         set_config('bytea_output', 'hex', true), set_config('extra_float_digits', '1', true) OFFSET 0) AS settings
            """,
            row => (rows, digest) = (row.GetInt64(0), row.GetString(1)),
            [],
            cancellationToken).ConfigureAwait(false);
        return (rows, digest);
    }

    // Single keys of a bucket may be placed elsewhere, and then the row may be on either shard.
    private static string? ShardOf(ShardMap map, long id, string shard) =>
        id < 0 || ShardedId.BucketOf(id) >= map.BucketCount ? null
            : map.ShardsOfBucket(ShardedId.BucketOf(id)) is var shards && shards.Contains(shard) ? shard
            : shards[0];

    private static string? ShardOf(ShardMap map, in ShardKey key)
    {
        try
        {
            return map.ShardOf(key);
        }
        catch (ShardKeyException)
        {
            return null;
        }
    }

    private static string NameOf(ITable table) => table.Schema is { } schema ? $"{schema}.{table.Name}" : table.Name;
}
