namespace EfScaling.Sharding.Catalog;

/// <summary>The tables of the catalog database and of each shard, and what is asked of them. All in the schema <c>efscaling</c>.</summary>
internal static class CatalogSql
{
    /// <summary>The form of the tables. Columns and functions may be added under the same number; whatever an older process would misread raises it.</summary>
    public const int Format = 1;

    /// <summary>The channel on which the catalog tells of changes.</summary>
    public const string Channel = "efscaling_shard_map";

    /// <summary>Asks for all maps if the epoch ($1) is another one.</summary>
    /// <remarks>Format, id and epoch come first and stay readable in every format.</remarks>
    public const string Read =
        "SELECT c.format, c.id, c.epoch, m.entry::text FROM efscaling.shard_catalog AS c LEFT JOIN efscaling.shard_map AS m ON c.epoch <> $1 AND c.format = $2";

    /// <summary>Keeps other changes out until <see cref="Unlock"/>, or the connection breaks.</summary>
    public const string Lock = "SELECT pg_advisory_lock(hashtextextended('efscaling.shard_catalog', 0))";

    /// <summary>Lets other changes in.</summary>
    public const string Unlock = "SELECT pg_advisory_unlock(hashtextextended('efscaling.shard_catalog', 0))";

    /// <summary>Makes the catalog database ready; $-free, so that it can be several statements.</summary>
    public const string CreateCatalog =
        """
        CREATE SCHEMA IF NOT EXISTS efscaling;
        CREATE TABLE IF NOT EXISTS efscaling.shard_catalog (
            singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
            format integer NOT NULL,
            id bigint NOT NULL,
            epoch bigint NOT NULL);
        CREATE TABLE IF NOT EXISTS efscaling.shard_map (
            name text PRIMARY KEY,
            version bigint NOT NULL,
            fingerprint text NOT NULL,
            entry jsonb NOT NULL,
            pending jsonb,
            changed_at timestamptz NOT NULL DEFAULT now());
        """;

    /// <summary>Makes a shard ready.</summary>
    /// <remarks><c>gate</c> never holds a row: a statement that writes nothing to it is how <c>enter</c> gets into statements of EF (<see cref="OwnershipSql"/>).</remarks>
    public const string CreateOwnership =
        """
        CREATE SCHEMA IF NOT EXISTS efscaling;
        CREATE TABLE IF NOT EXISTS efscaling.shard (
            singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
            name text NOT NULL,
            catalog bigint NOT NULL);
        CREATE TABLE IF NOT EXISTS efscaling.ownership (
            map text NOT NULL,
            bucket integer NOT NULL,
            version bigint NOT NULL,
            PRIMARY KEY (map, bucket));
        CREATE TABLE IF NOT EXISTS efscaling.gate (entered boolean NOT NULL);
        CREATE OR REPLACE FUNCTION efscaling.owns(maps text[], buckets integer[], versions bigint[]) RETURNS boolean
        LANGUAGE plpgsql STABLE PARALLEL SAFE AS $owns$
        DECLARE
            owned bigint;
        BEGIN
            FOR i IN 1 .. coalesce(array_length(maps, 1), 0) LOOP
                SELECT o.version INTO owned FROM efscaling.ownership AS o WHERE o.map = maps[i] AND o.bucket = buckets[i];
                IF owned IS DISTINCT FROM versions[i] THEN
                    RAISE EXCEPTION USING ERRCODE = 'EFS01', MESSAGE = format(
                        'shard map %L, %s: version %s is asked for, %s is owned',
                        maps[i], CASE buckets[i] WHEN -1 THEN 'whole shard' ELSE 'bucket ' || buckets[i] END, versions[i], coalesce(owned::text, 'none'));
                END IF;
            END LOOP;
            RETURN true;
        END
        $owns$;
        CREATE OR REPLACE FUNCTION efscaling.enter(maps text[], buckets integer[], versions bigint[]) RETURNS boolean
        LANGUAGE plpgsql VOLATILE AS $enter$
        BEGIN
            FOR i IN 1 .. coalesce(array_length(maps, 1), 0) LOOP
                IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
                    PERFORM pg_advisory_xact_lock_shared(hashtextextended('efscaling ' || maps[i], buckets[i]));
                ELSE
                    -- All statements see what was owned when the transaction began. Locking a row that has changed since fails.
                    PERFORM FROM efscaling.ownership AS o WHERE o.map = maps[i] AND o.bucket = buckets[i] FOR SHARE;
                END IF;
            END LOOP;
            RETURN efscaling.owns(maps, buckets, versions);
        END
        $enter$;
        """;

    /// <summary>Takes buckets ($2) of a map ($1) from whoever writes them, until the transaction ends. In the order in which writers take them.</summary>
    public const string LockBuckets = "SELECT pg_advisory_xact_lock(hashtextextended('efscaling ' || $1, b)) FROM (SELECT b FROM unnest($2) AS b ORDER BY b OFFSET 0) AS ordered";

    /// <summary>Ends the ownership of buckets ($2) of a map ($1) before a version ($3).</summary>
    public const string Disown = "DELETE FROM efscaling.ownership WHERE map = $1 AND bucket = ANY ($2) AND version < $3";

    /// <summary>Gives the versions ($3) of buckets ($2) of a map ($1).</summary>
    public const string Own =
        """
        INSERT INTO efscaling.ownership (map, bucket, version) SELECT $1, b, v FROM unnest($2, $3) AS given (b, v)
        ON CONFLICT (map, bucket) DO UPDATE SET version = excluded.version WHERE ownership.version <> excluded.version
        """;
}
