using System.Data.Common;

namespace EfScaling.Caching;

/// <summary>Reads the catalog of a PostgreSQL database, in one round trip and as of one moment.</summary>
/// <remarks>Sees what every role may see: none of the system's tables that it reads is restricted. Search path and names follow the connection.</remarks>
internal static class TableCatalogReader
{
    // Dependencies on what came with the server are missing from pg_depend: a view over pg_class or now() shows them only in its tree. The tree's form is no
    // contract, so what pg_depend has is taken as well. 16384 is the first number that the server gives to objects of its users.
    // Rows: path (Name, Number = place); relation (Detail = relkind, Number = flags); parent (Id inherits from Other); key (Id references Other, Detail = on
    // delete and on update); reads (Id shows Other); calls (Detail = V for a view, P for a policy, Other = 1 if built in, Number = count of arguments).
    internal const string Sql =
        """
        WITH relation AS MATERIALIZED (
            SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind, c.relrowsecurity
            FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
              AND n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_(toast|temp)'
        ), definition AS MATERIALIZED (
            SELECT r.oid AS source, relation.oid, 'V' AS kind, r.ev_action::text AS tree
            FROM pg_catalog.pg_rewrite AS r JOIN relation ON relation.oid = r.ev_class
            WHERE relation.kind = 'v' AND r.rulename = '_RETURN'
            UNION ALL
            SELECT p.oid, relation.oid, 'P', coalesce(p.polqual::text, '')
            FROM pg_catalog.pg_policy AS p JOIN relation ON relation.oid = p.polrelid
            WHERE relation.relrowsecurity
        ), depends AS MATERIALIZED (
            SELECT definition.oid, definition.kind, d.refclassid, d.refobjid
            FROM definition JOIN pg_catalog.pg_depend AS d ON d.objid = definition.source
            WHERE d.classid IN ('pg_catalog.pg_rewrite'::pg_catalog.regclass, 'pg_catalog.pg_policy'::pg_catalog.regclass)
        ), calls AS (
            SELECT d.oid, d.kind, (m.match)[1]::oid AS function
            FROM definition AS d, pg_catalog.regexp_matches(d.tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS m(match)
            UNION
            SELECT oid, kind, refobjid FROM depends WHERE refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        )
        SELECT 'path', 0::bigint, 0::bigint, '', p.name::text, '', p.place::int
        FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS p(name, place)
        UNION ALL
        SELECT 'relation', r.oid::bigint, 0, r.schema, r.name, r.kind,
               CASE WHEN r.relrowsecurity THEN 1 ELSE 0 END
               + CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = r.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D') THEN 2 ELSE 0 END
               + CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_rewrite AS w WHERE w.ev_class = r.oid AND w.rulename <> '_RETURN' AND w.ev_enabled <> 'D')
                        OR EXISTS (SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = r.oid AND NOT t.tgisinternal AND t.tgtype & 64 <> 0)
                      THEN 4 ELSE 0 END
        FROM relation AS r
        UNION ALL
        SELECT 'parent', i.inhrelid::bigint, i.inhparent::bigint, '', '', '', 0
        FROM pg_catalog.pg_inherits AS i JOIN relation AS c ON c.oid = i.inhrelid JOIN relation AS p ON p.oid = i.inhparent
        UNION ALL
        SELECT 'key', k.conrelid::bigint, k.confrelid::bigint, '', '', k.confdeltype::text || k.confupdtype::text, 0
        FROM pg_catalog.pg_constraint AS k JOIN relation AS c ON c.oid = k.conrelid JOIN relation AS p ON p.oid = k.confrelid
        WHERE k.contype = 'f' AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
        UNION ALL
        SELECT 'reads', r.oid::bigint, r.relid::bigint, '', '', '', 0
        FROM (
            SELECT d.oid, (m.match)[1]::oid AS relid
            FROM definition AS d, pg_catalog.regexp_matches(d.tree, ':relid (\d+)', 'g') AS m(match)
            UNION
            SELECT oid, refobjid FROM depends WHERE refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        ) AS r
        WHERE r.relid <> r.oid AND r.relid <> 0
        UNION ALL
        SELECT 'calls', c.oid::bigint, CASE WHEN f.oid < 16384 THEN 1 ELSE 0 END, '', f.proname::text, c.kind, f.pronargs::int
        FROM calls AS c JOIN pg_catalog.pg_proc AS f ON f.oid = c.function
        WHERE f.provolatile <> 'i'
        UNION ALL
        SELECT 'calls', d.oid::bigint, 1, '', CASE WHEN (m.match)[1]::int < 9 THEN 'current_timestamp' ELSE 'current_user' END, d.kind, 0
        FROM definition AS d, pg_catalog.regexp_matches(d.tree, 'SQLVALUEFUNCTION :op (\d+)', 'g') AS m(match)
        UNION ALL
        SELECT 'calls', d.oid::bigint, 1, '', word.name, d.kind, 0
        FROM definition AS d, (VALUES ('TABLESAMPLECLAUSE', 'tablesample'), (':hasForUpdate true', 'for update')) AS word(text, name)
        WHERE pg_catalog.strpos(d.tree, word.text) > 0
        UNION ALL
        SELECT 'calls', d.oid::bigint, 1, '', 'cast of text to a time', d.kind, 0
        FROM definition AS d
        WHERE pg_catalog.strpos(d.tree, 'COERCEVIAIO') > 0 AND d.tree ~ ':resulttype (1082|1083|1114|1184|1266) '
        """;

    /// <summary>Reads the catalog.</summary>
    /// <param name="connection">An open connection, with the role and search path of the queries that the catalog is for.</param>
    /// <exception cref="DbException">The server could not be reached or refused.</exception>
    public static TableCatalog Read(DbConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = Sql;
        using var reader = command.ExecuteReader();
        var rows = new List<CatalogRow>();
        while (reader.Read())
        {
            rows.Add(RowOf(reader));
        }

        return Build(rows);
    }

    /// <inheritdoc cref="Read" />
    public static async Task<TableCatalog> ReadAsync(DbConnection connection, CancellationToken cancellationToken)
    {
        var command = connection.CreateCommand();
        await using (command.ConfigureAwait(false))
        {
            command.CommandText = Sql;
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                var rows = new List<CatalogRow>();
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    rows.Add(RowOf(reader));
                }

                return Build(rows);
            }
        }
    }

    /// <summary>Puts a catalog together from the rows of <see cref="Sql"/>, in any order.</summary>
    internal static TableCatalog Build(IReadOnlyCollection<CatalogRow> rows)
    {
        var parts = rows.ToLookup(r => r.Part);
        var names = parts["relation"].ToDictionary(r => r.Id, r => new TableName(r.Schema, r.Name));
        var parents = parts["parent"].ToLookup(r => r.Id, r => names[r.Other]);
        var reads = parts["reads"].ToLookup(r => r.Id, r => r.Other);
        var calls = parts["calls"].ToLookup(r => (r.Id, r.Detail), r => new CatalogFunction(r.Name, r.Number, r.Other != 0));

        return new TableCatalog(
            parts["relation"].Select(r => new CatalogRelation(names[r.Id], KindOf(r.Detail))
            {
                HasRowSecurity = (r.Number & 1) != 0,
                HasTriggers = (r.Number & 2) != 0,
                HasRewrittenWrites = (r.Number & 4) != 0,
                ReadsSystemCatalog = reads[r.Id].Any(id => !names.ContainsKey(id)),
                Parents = [.. parents[r.Id]],
                References = [.. reads[r.Id].Where(names.ContainsKey).Select(id => names[id])],
                Functions = [.. calls[(r.Id, "V")].Distinct()],
                PolicyFunctions = [.. calls[(r.Id, "P")].Distinct()],
            }),
            parts["key"].Select(r => new ForeignKey(names[r.Id], names[r.Other], ActionOf(r.Detail[0]), ActionOf(r.Detail[1]))),
            [.. parts["path"].OrderBy(r => r.Number).Select(r => r.Name)]);
    }

    private static CatalogRow RowOf(DbDataReader reader) =>
        new(reader.GetString(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetString(3), reader.GetString(4), reader.GetString(5), reader.GetInt32(6));

    private static RelationKind KindOf(string kind) => kind switch
    {
        "r" => RelationKind.Table,
        "p" => RelationKind.PartitionedTable,
        "v" => RelationKind.View,
        "m" => RelationKind.MaterializedView,
        "f" => RelationKind.ForeignTable,
        _ => RelationKind.Other,
    };

    private static ForeignKeyAction ActionOf(char action) => action switch
    {
        'c' => ForeignKeyAction.Cascade,
        'n' or 'd' => ForeignKeyAction.Set,
        _ => ForeignKeyAction.None,
    };
}
