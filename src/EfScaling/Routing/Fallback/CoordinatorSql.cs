namespace EfScaling.Routing.Fallback;

/// <summary>The SQL that makes and removes what the fallback coordinator has.</summary>
internal static class CoordinatorSql
{
    /// <summary>What the comments of all that was made here begin with. Nothing else is ever dropped.</summary>
    public const string Mark = "EfScaling fallback coordinator";

    /// <summary>Keeps others from making the same at the same time.</summary>
    public const string Lock = "SELECT pg_advisory_xact_lock(hashtextextended('efscaling.fallback', 0))";

    /// <summary>Lets the transaction write, whose session is read-only.</summary>
    public const string AllowWrites = "SET TRANSACTION READ WRITE";

    /// <summary>Drops all that was made before, types only if they were made by other statements than those of <c>efscaling.types</c>.</summary>
    public const string Drop =
        $"""
        DO $drop$
        DECLARE statement text;
        BEGIN
            FOR statement IN
                SELECT format('DROP VIEW %I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE c.relkind = 'v' AND obj_description(c.oid, 'pg_class') = '{Mark}'
            LOOP EXECUTE statement; END LOOP;
            FOR statement IN
                SELECT format('DROP FOREIGN TABLE %I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE c.relkind = 'f' AND obj_description(n.oid, 'pg_namespace') = '{Mark}'
            LOOP EXECUTE statement; END LOOP;
            FOR statement IN
                SELECT format('DROP SCHEMA %I', n.nspname) FROM pg_namespace AS n WHERE obj_description(n.oid, 'pg_namespace') = '{Mark}'
            LOOP EXECUTE statement; END LOOP;
            FOR statement IN
                SELECT format('DROP USER MAPPING IF EXISTS FOR CURRENT_USER SERVER %1$I; DROP SERVER %1$I', s.srvname) FROM pg_foreign_server AS s WHERE obj_description(s.oid, 'pg_foreign_server') = '{Mark}'
            LOOP EXECUTE statement; END LOOP;
            FOR statement IN
                SELECT format('DROP TYPE %I.%I', n.nspname, t.typname) FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
                WHERE obj_description(t.oid, 'pg_type') LIKE '{Mark}%' AND obj_description(t.oid, 'pg_type') <> '{Mark} ' || current_setting('efscaling.types')
                UNION ALL
                SELECT format('DROP COLLATION %I.%I', n.nspname, l.collname) FROM pg_collation AS l JOIN pg_namespace AS n ON n.oid = l.collnamespace
                WHERE obj_description(l.oid, 'pg_collation') LIKE '{Mark}%' AND obj_description(l.oid, 'pg_collation') <> '{Mark} ' || current_setting('efscaling.types')
            LOOP EXECUTE statement; END LOOP;
        END
        $drop$
        """;

    /// <summary>Returns whether types or collations of the statements <c>$1</c> are there.</summary>
    public const string HasTypes = $"SELECT EXISTS (SELECT FROM pg_description WHERE classoid IN ('pg_type'::regclass, 'pg_collation'::regclass) AND description = '{Mark} ' || $1)";

    /// <summary>Returns which of the names <c>$1</c> are taken by what was not made here.</summary>
    public const string FindOthers = "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL";

    /// <summary>Returns for the names <c>$1</c> of tables on a shard what they lead to there, and who reads them; one row without a name if there are none.</summary>
    public const string FindTables =
        """
        SELECT t.name, n.nspname::text, c.relname::text, current_database()::text, session_user::text
        FROM (SELECT) AS one LEFT JOIN unnest($1::text[]) AS t (name) ON true LEFT JOIN pg_class AS c ON c.oid = to_regclass(t.name) LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
        """;

    /// <summary>Returns the columns of the table <c>$1</c>.</summary>
    public const string FindColumns = "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum";

    /// <summary>Hands the user <c>$2</c> and the password <c>$3</c> for the server <c>$1</c> to <see cref="CreateMapping"/>: as parameters, and not as text, which would be in more logs.</summary>
    public const string GiveSecrets =
        "SELECT set_config('efscaling.server', $1, true), set_config('efscaling.user', $2, true), set_config('efscaling.password', convert_from($3, 'UTF8'), true)";

    /// <summary>Maps the present role to the one that reads a shard.</summary>
    public const string CreateMapping =
        """
        DO $mapping$
        BEGIN
            EXECUTE format(
                CASE current_setting('efscaling.password') WHEN '' THEN 'CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (user %L)'
                ELSE 'CREATE USER MAPPING FOR CURRENT_USER SERVER %I OPTIONS (user %L, password %L)' END,
                current_setting('efscaling.server'), current_setting('efscaling.user'), current_setting('efscaling.password'));
        EXCEPTION WHEN OTHERS THEN
            -- The context of the first error quotes the statement.
            RAISE EXCEPTION '%', SQLERRM USING ERRCODE = SQLSTATE;
        END
        $mapping$
        """;

    /// <summary>Marks all that the present transaction has made, types and collations with <c>efscaling.types</c>.</summary>
    public const string MarkAll =
        $"""
        DO $mark$
        DECLARE statement text;
        BEGIN
            FOR statement IN
                SELECT format('COMMENT ON %s %s IS %L', made.kind, made.name, '{Mark}' || made.suffix)
                FROM (
                    SELECT 'VIEW', format('%I.%I', n.nspname, c.relname), '', c.xmin, c.oid, 'pg_class'::regclass
                    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'v'
                    UNION ALL
                    SELECT 'SCHEMA', format('%I', n.nspname), '', n.xmin, n.oid, 'pg_namespace'::regclass FROM pg_namespace AS n WHERE starts_with(n.nspname, 'efscaling:')
                    UNION ALL
                    SELECT 'SERVER', format('%I', s.srvname), '', s.xmin, s.oid, 'pg_foreign_server'::regclass FROM pg_foreign_server AS s
                    UNION ALL
                    SELECT 'TYPE', format('%I.%I', n.nspname, t.typname), ' ' || current_setting('efscaling.types'), t.xmin, t.oid, 'pg_type'::regclass
                    FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace WHERE t.typtype IN ('e', 'r')
                    UNION ALL
                    SELECT 'COLLATION', format('%I.%I', n.nspname, l.collname), ' ' || current_setting('efscaling.types'), l.xmin, l.oid, 'pg_collation'::regclass
                    FROM pg_collation AS l JOIN pg_namespace AS n ON n.oid = l.collnamespace
                ) AS made (kind, name, suffix, xmin, oid, class)
                WHERE made.xmin = pg_current_xact_id()::xid AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = made.class AND d.objid = made.oid AND d.deptype = 'e')
            LOOP EXECUTE statement; END LOOP;
        END
        $mark$
        """;

    /// <summary>Returns by name what decides how a database compares texts and writes values, of which the coordinator must have the same as each shard.</summary>
    /// <remarks>The columns of <c>pg_database</c> differ from release to release.</remarks>
    public const string Traits =
        """
        SELECT 'database', concat_ws(' ', pg_encoding_to_char(d.encoding), to_jsonb(d) ->> 'datlocprovider', d.datcollate, d.datctype,
               coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'), to_jsonb(d) ->> 'daticurules', 'version', coalesce(to_jsonb(d) ->> 'datcollversion', 'unknown'))
        FROM pg_database AS d WHERE d.datname = current_database()
        UNION ALL
        SELECT DISTINCT 'collation ' || l.collname, concat_ws(' ', l.collprovider, l.collisdeterministic, l.collcollate, l.collctype,
               coalesce(to_jsonb(l) ->> 'colllocale', to_jsonb(l) ->> 'colliculocale'), to_jsonb(l) ->> 'collicurules', 'version', coalesce(pg_collation_actual_version(l.oid), 'none'))
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_collation AS l ON l.oid = a.attcollation
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND l.collname <> 'default'
        UNION ALL
        SELECT 'enum ' || n.nspname || '.' || t.typname, string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder)
        FROM pg_enum AS e JOIN pg_type AS t ON t.oid = e.enumtypid JOIN pg_namespace AS n ON n.oid = t.typnamespace GROUP BY n.nspname, t.typname
        UNION ALL
        SELECT 'setting ' || s.name, s.setting FROM pg_settings AS s
        WHERE s.name IN ('TimeZone', 'DateStyle', 'IntervalStyle', 'lc_monetary', 'lc_numeric', 'lc_time', 'default_text_search_config', 'extra_float_digits', 'bytea_output')
        """;
}
