using EfScaling.Consistency;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Routing.Checks;

/// <summary>Compares the schemas that the model uses between the shards.</summary>
/// <param name="work">Reaches the shards.</param>
/// <param name="migrations">Returns the migrations of the application.</param>
/// <remarks>What most shards have counts as right; between two halves, what the first shard of them has. Thread-safe.</remarks>
internal sealed class SchemaComparison(ShardWork work, Func<IEnumerable<string>> migrations)
{
    // Definitions as the server writes them, with every name in full: nothing is in the search path.
    private const string Sql =
        """
        WITH wanted AS MATERIALIZED (
            SELECT n.oid, n.nspname FROM pg_namespace AS n
            WHERE n.nspname <> 'efscaling' AND (n.nspname = ANY ($1) OR ($2 AND n.nspname = current_schema()))),
        settings AS MATERIALIZED (SELECT count(*), set_config('search_path', '', true) FROM wanted),
        relations AS MATERIALIZED (
            SELECT c.oid, c.relkind, w.nspname || '.' || c.relname AS name
            FROM settings, wanted AS w JOIN pg_class AS c ON c.relnamespace = w.oid
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f'))
        SELECT 'table', r.name, r.relkind::text FROM relations AS r
        UNION ALL
        SELECT 'column', r.name || '.' || a.attname,
               format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
               || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
               || CASE a.attidentity WHEN '' THEN '' ELSE ' identity ' || a.attidentity::text END
               || CASE a.attgenerated WHEN '' THEN '' ELSE ' generated' END
               || coalesce((SELECT ' collate ' || l.collname FROM pg_collation AS l WHERE l.oid = a.attcollation AND l.collname <> 'default'), '')
        FROM relations AS r JOIN pg_attribute AS a ON a.attrelid = r.oid LEFT JOIN pg_attrdef AS d ON d.adrelid = r.oid AND d.adnum = a.attnum
        WHERE a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT 'index', r.name || '.' || i.relname, pg_get_indexdef(x.indexrelid) || CASE WHEN x.indisvalid THEN '' ELSE ' (invalid)' END
        FROM relations AS r JOIN pg_index AS x ON x.indrelid = r.oid JOIN pg_class AS i ON i.oid = x.indexrelid
        UNION ALL
        SELECT 'constraint', r.name || '.' || k.conname, pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' (not validated)' END
        FROM relations AS r JOIN pg_constraint AS k ON k.conrelid = r.oid
        """;

    /// <summary>Finds every difference.</summary>
    /// <returns>By shard, kind and name; empty if there is none.</returns>
    /// <exception cref="ShardsFailedException">The schema of some shards could not be read.</exception>
    public async Task<IReadOnlyList<SchemaDifference>> RunAsync(CancellationToken cancellationToken)
    {
        var results = await work.RunAsync(ReadAsync, ShardWork.DefaultParallel, progress: null, cancellationToken).ConfigureAwait(false);
        var schemas = ShardWork.Values("CompareShardSchemasAsync", results);

        // Without any history the shards were not made by migrations.
        return Compare(work.Shards, schemas, schemas.Any(s => s.Keys.Any(k => k.Kind == "migration")) ? [.. migrations()] : []);
    }

    /// <summary>Compares what shards have.</summary>
    /// <param name="shards">The names of the shards.</param>
    /// <param name="schemas">For each of them the definition of everything it has, by kind and name.</param>
    /// <param name="migrations">The migrations that every shard should have.</param>
    internal static IReadOnlyList<SchemaDifference> Compare(
        IReadOnlyList<string> shards, IReadOnlyList<IReadOnlyDictionary<(string Kind, string Name), string>> schemas, IReadOnlyList<string> migrations)
    {
        var differences = new List<SchemaDifference>();
        var lacksTable = new HashSet<(string Shard, string Table)>();

        // Tables first: of one that is missing, nothing else is told.
        foreach (var item in schemas.SelectMany(s => s.Keys).Concat(migrations.Select(m => (Kind: "migration", Name: m))).Distinct()
            .OrderBy(k => k.Kind == "table" ? 0 : 1).ThenBy(k => k.Kind, StringComparer.Ordinal).ThenBy(k => k.Name, StringComparer.Ordinal))
        {
            var owners = Enumerable.Range(0, shards.Count).Where(i => schemas[i].ContainsKey(item)).ToList();
            var isExtra = item.Kind != "migration" && owners.Count * 2 < shards.Count;
            var usual = owners.GroupBy(i => schemas[i][item], StringComparer.Ordinal).MaxBy(g => g.Count())?.Key;
            for (var i = 0; i < shards.Count; i++)
            {
                if (item.Kind == "table" && !schemas[i].ContainsKey(item))
                {
                    lacksTable.Add((shards[i], item.Name));
                }

                if (item.Kind is not ("table" or "migration") && lacksTable.Contains((shards[i], item.Name[..item.Name.LastIndexOf('.')])))
                {
                    continue;
                }

                var description = (schemas[i].TryGetValue(item, out var definition), isExtra) switch
                {
                    (false, false) => $"shard '{shards[i]}' lacks {item.Kind} {item.Name}",
                    (true, true) when item.Kind == "table" || !IsOfExtraTable(item.Name) => $"shard '{shards[i]}' has {item.Kind} {item.Name}, which most others lack",
                    (true, false) when definition != usual => $"shard '{shards[i]}' has {item.Kind} {item.Name} as \"{definition}\", and others as \"{usual}\"",
                    _ => null,
                };
                if (description is not null)
                {
                    differences.Add(new SchemaDifference(shards[i], item.Kind, item.Name, description));
                }
            }
        }

        return [.. differences.OrderBy(d => shards.ToList().IndexOf(d.Shard))];

        bool IsOfExtraTable(string name) => name.LastIndexOf('.') is > 0 and var dot && schemas.Count(s => s.ContainsKey(("table", name[..dot]))) * 2 < shards.Count;
    }

    private static async Task<IReadOnlyDictionary<(string Kind, string Name), string>> ReadAsync(DbContext context, CancellationToken cancellationToken)
    {
        var found = new Dictionary<(string Kind, string Name), string>();
        foreach (var migration in await context.Database.GetAppliedMigrationsAsync(cancellationToken).ConfigureAwait(false))
        {
            found[("migration", migration)] = string.Empty;
        }

        var schemas = context.Model.GetRelationalModel().Tables.Select(t => t.Schema).Distinct(StringComparer.Ordinal).ToList();
        await new ShardReader(context, ReadContract.Primary).ReadAsync(
            Sql,
            row => found[(row.GetString(0), row.GetString(1))] = row.GetString(2),
            [schemas.OfType<string>().ToArray(), schemas.Contains(null)],
            cancellationToken).ConfigureAwait(false);
        return found;
    }
}
