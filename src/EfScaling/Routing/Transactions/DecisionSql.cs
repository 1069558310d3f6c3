namespace EfScaling.Routing.Transactions;

/// <summary>The table <c>efscaling.decision</c>, which every shard has, and what is asked of it.</summary>
/// <remarks>
/// A row says once and for all what becomes of a transaction over several shards. The writer adds <c>commit</c> within the transaction of the shard that decides; whoever wants to know
/// what became of a writer adds <c>abort</c>. The primary key lets only one of them in, and the second waits until the first has ended.
/// </remarks>
internal static class DecisionSql
{
    /// <summary>Makes the table where it is missing; whoever may not create a schema is refused even one that exists.</summary>
    /// <remarks>
    /// A transaction that was given up is remembered for seven days. A writer that comes to its decision a day after it began is refused, so that it never comes after that.
    /// </remarks>
    public const string Create =
        """
        DO $$
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'efscaling') THEN
                CREATE SCHEMA efscaling;
            END IF;
            IF NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'efscaling' AND c.relname = 'decision') THEN
                CREATE TABLE efscaling.decision (
                    id uuid PRIMARY KEY,
                    outcome text NOT NULL CHECK (outcome IN ('commit', 'abort')),
                    participants text[] NOT NULL,
                    begun_at timestamp with time zone NOT NULL DEFAULT now(),
                    decided_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
                    CHECK (outcome = 'abort' OR decided_at - begun_at < interval '1 day'));
            END IF;
        END
        $$
        """;

    /// <summary>What a transaction over several shards begins with on each: $1 is the lock timeout.</summary>
    public const string Begin = "SELECT CASE current_setting('lock_timeout') WHEN '0' THEN set_config('lock_timeout', $1, true) END";

    /// <summary>The same where it is not known yet whether it can be prepared there, and decided there: tells both.</summary>
    public const string BeginFirst =
        """
        SELECT current_setting('max_prepared_transactions')::int > 0,
               EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                       WHERE c.relname = 'decision' AND n.nspname = 'efscaling' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'SELECT')),
               CASE current_setting('lock_timeout') WHEN '0' THEN set_config('lock_timeout', $1, true) END
        """;

    /// <summary>Decides for commit, within the transaction of the shard that decides: $1 is the transaction, $2 its participants.</summary>
    /// <remarks>What the others commit by it must not be lost when the server dies, as it is for a moment where <c>synchronous_commit</c> is off.</remarks>
    public const string Commit =
        """
        INSERT INTO efscaling.decision (id, outcome, participants) SELECT $1, 'commit', $2
        WHERE CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'local', true) IS NOT NULL ELSE true END
        """;

    /// <summary>Decides for abort, unless it is decided.</summary>
    public const string Abort = "INSERT INTO efscaling.decision (id, outcome, participants) VALUES ($1, 'abort', '{}') ON CONFLICT DO NOTHING";

    /// <summary>Tells whether it is decided for commit.</summary>
    public const string Ask = "SELECT outcome = 'commit' FROM efscaling.decision WHERE id = $1";

    /// <summary>
    /// Tells whether the server is a standby, which does not show what is prepared, and lists what is prepared in the database, the oldest first, with its age in seconds: one row at least.
    /// </summary>
    public const string ListPrepared =
        $"""
        SELECT pg_is_in_recovery(), p.gid, extract(epoch FROM clock_timestamp() - p.prepared)::double precision
        FROM (VALUES (1)) AS one LEFT JOIN pg_prepared_xacts AS p ON p.database = current_database() AND starts_with(p.gid, '{PreparedName.Prefix}') ORDER BY p.prepared
        """;

    /// <summary>
    /// Deletes decisions that nobody will ask for: $1 is an id that is made an hour ago, $2 all shards of which it is known what is prepared, $3 the transactions that are. Ids grow with
    /// time, so that this reads old ones only.
    /// </summary>
    public const string Forget =
        """
        DELETE FROM efscaling.decision WHERE id IN (
            SELECT id FROM efscaling.decision
            WHERE id < $1
              AND (outcome = 'commit' AND decided_at < now() - interval '1 hour' AND participants <@ $2 AND id <> ALL ($3)
                OR outcome = 'abort' AND decided_at < now() - interval '7 days')
            ORDER BY id LIMIT 5000)
        """;

    /// <summary>How long a decision for commit is kept at least: a standby that takes over may not have replayed yet that a participant has committed.</summary>
    public static readonly TimeSpan CommitsAreKept = TimeSpan.FromHours(1);
}
