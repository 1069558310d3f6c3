using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>Takes keys from the outbox for the time of one transaction, so that of many dispatchers one at a time has a key.</summary>
/// <remarks>
/// A key is had by the advisory lock of its hash, which is only ever tried, and rows are locked with SKIP LOCKED: dispatchers never wait for each other and so
/// cannot block each other. What is applied is read by later statements than those here, in READ COMMITTED, and so shows at least what the rows announce.
/// </remarks>
internal static class OutboxQueue
{
    // A key with a row that waits for its next attempt waits with all its rows. Rows of sources that this instance does not have are for a newer one.
    private const string Candidates =
        """
        WITH due AS MATERIALIZED (
            SELECT o.source, o.key FROM efscaling.outbox AS o
            WHERE o.projection = @projection AND o.source = ANY (@sources) AND o.parked_at IS NULL AND (o.due_at IS NULL OR o.due_at <= clock_timestamp())
              AND NOT EXISTS (
                  SELECT 1 FROM efscaling.outbox AS w
                  WHERE w.projection = o.projection AND w.source = o.source AND w.key = o.key AND w.parked_at IS NULL AND w.due_at > clock_timestamp())
            ORDER BY o.is_rebuild, o.id
            LIMIT @limit
            FOR UPDATE OF o SKIP LOCKED),
        keys AS MATERIALIZED (SELECT DISTINCT source, key FROM due)
        SELECT source, key FROM keys WHERE pg_try_advisory_xact_lock(hashtextextended(@projection || '/' || source || '/' || key, 0))
        """;

    private const string TryLock = "SELECT pg_try_advisory_xact_lock(hashtextextended(@projection || '/' || @source || '/' || @key, 0))";

    // A statement of its own, whose snapshot is taken after the locks. The version must be higher than that of every earlier holder of a lock, also after a
    // failover in which the sequence lost its newest numbers: the timeline of the log stands before the number.
    private const string Rows =
        """
        SELECT o.id, o.source, o.key, o.attempts, coalesce(o.position, o.id), o.is_rebuild,
               extract(epoch FROM clock_timestamp() - o.enqueued_at)::double precision,
               (SELECT (('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint << 40) + nextval(pg_get_serial_sequence('efscaling.outbox', 'id')))
        FROM efscaling.outbox AS o
        WHERE o.projection = @projection AND (o.source, o.key) IN (SELECT * FROM unnest(@sources, @keys))
        ORDER BY o.id
        FOR UPDATE OF o SKIP LOCKED
        """;

    private const string Insertion =
        """
        INSERT INTO efscaling.outbox (projection, key, position, is_rebuild, enqueued_at)
        SELECT @projection, k, @position, @is_rebuild, (SELECT min(enqueued_at) FROM efscaling.outbox WHERE id = ANY (@ids)) FROM unnest(@keys) AS k
        """;

    private const string Removal =
        "DELETE FROM efscaling.outbox WHERE id = ANY (@ids) RETURNING extract(epoch FROM clock_timestamp() - enqueued_at)::double precision, NOT is_rebuild AND source = ''";

    private const string Failure =
        """
        UPDATE efscaling.outbox
        SET attempts = @attempts, reason = @reason, due_at = clock_timestamp() + make_interval(secs => @delay), parked_at = CASE WHEN @parked THEN clock_timestamp() END
        WHERE id = ANY (@ids)
        """;

    private const string Reinsertion = "INSERT INTO efscaling.outbox (projection, source, key) VALUES (@projection, @source, @key)";

    /// <summary>Takes the keys of the next rows that no other dispatcher has.</summary>
    public static async Task<OutboxClaim> ClaimAsync(DbContext context, Projection projection, CancellationToken cancellationToken)
    {
        var command = OutboxCommand.Create(
            context, Candidates, ("projection", projection.Name), ("sources", projection.SourceNames), ("limit", projection.Options.BatchSize));
        var keys = await OutboxCommand.ReadAsync(command, r => (Source: r.GetString(0), Key: r.GetString(1)), cancellationToken).ConfigureAwait(false);
        return keys.Count == 0 ? OutboxClaim.Nothing : await RowsAsync(context, projection.Name, keys, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes one key, if no other dispatcher has it and it still waits.</summary>
    public static async Task<OutboxClaim> ClaimAsync(DbContext context, string projection, ClaimedKey key, CancellationToken cancellationToken)
    {
        var command = OutboxCommand.Create(context, TryLock, ("projection", projection), ("source", key.Source), ("key", key.Key));
        var isLocked = await OutboxCommand.ReadAsync(command, r => r.GetBoolean(0), cancellationToken).ConfigureAwait(false);
        return isLocked[0] ? await RowsAsync(context, projection, [(key.Source, key.Key)], cancellationToken).ConfigureAwait(false) : OutboxClaim.Nothing;
    }

    /// <summary>Puts the keys of the views that a change affects in the place of the change.</summary>
    public static async Task InsertAffectedAsync(DbContext context, string projection, ClaimedKey change, IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        var command = OutboxCommand.Create(
            context,
            Insertion,
            ("projection", projection),
            ("position", change.Position),
            ("is_rebuild", change.IsRebuild),
            ("ids", change.Ids.ToArray()),
            ("keys", keys.ToArray()));
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Removes the rows that were applied.</summary>
    /// <returns>For each row that announced a change of a view, how long ago the change was written.</returns>
    public static async Task<IReadOnlyList<TimeSpan>> RemoveAsync(DbContext context, long[] ids, CancellationToken cancellationToken)
    {
        var command = OutboxCommand.Create(context, Removal, ("ids", ids));
        var ages = await OutboxCommand.ReadAsync(command, r => (Age: r.GetDouble(0), Counts: r.GetBoolean(1)), cancellationToken).ConfigureAwait(false);
        return [.. ages.Where(a => a.Counts).Select(a => TimeSpan.FromSeconds(Math.Max(0, a.Age)))];
    }

    /// <summary>Notes a failed attempt, in a transaction of its own because that of the attempt is gone.</summary>
    /// <param name="context">A context without a transaction, with its connection open.</param>
    /// <param name="projection">The projection.</param>
    /// <param name="key">The key.</param>
    /// <param name="attempts">How often it has failed now.</param>
    /// <param name="delay">The pause until the next attempt.</param>
    /// <param name="isParked">Whether there is no next attempt.</param>
    /// <param name="reason">What it failed of.</param>
    /// <param name="mustExist">
    /// Whether the key is to be announced again when somebody else has removed the rows meanwhile: what the failed attempt wrote outside of the database may
    /// have come after what the other one wrote.
    /// </param>
    /// <param name="cancellationToken">Ends the wait for the server.</param>
    public static async Task FailAsync(
        DbContext context, string projection, ClaimedKey key, int attempts, TimeSpan delay, bool isParked, string reason, bool mustExist, CancellationToken cancellationToken)
    {
        var update = OutboxCommand.Create(
            context, Failure, ("ids", key.Ids.ToArray()), ("attempts", attempts), ("reason", reason), ("delay", delay.TotalSeconds), ("parked", isParked));
        await using (update.ConfigureAwait(false))
        {
            if (await update.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) > 0 || !mustExist)
            {
                return;
            }
        }

        var insert = OutboxCommand.Create(context, Reinsertion, ("projection", projection), ("source", key.Source), ("key", key.Key));
        await using (insert.ConfigureAwait(false))
        {
            await insert.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<OutboxClaim> RowsAsync(
        DbContext context, string projection, IReadOnlyList<(string Source, string Key)> keys, CancellationToken cancellationToken)
    {
        var command = OutboxCommand.Create(
            context, Rows, ("projection", projection), ("sources", keys.Select(k => k.Source).ToArray()), ("keys", keys.Select(k => k.Key).ToArray()));
        var rows = await OutboxCommand.ReadAsync(
            command,
            r => (
                Id: r.GetInt64(0),
                Source: r.GetString(1),
                Key: r.GetString(2),
                Attempts: r.GetInt32(3),
                Position: r.GetInt64(4),
                IsRebuild: r.GetBoolean(5),
                Age: r.GetDouble(6),
                Version: r.GetInt64(7)),
            cancellationToken).ConfigureAwait(false);
        return rows.Count == 0
            ? OutboxClaim.Nothing
            : new OutboxClaim(
                rows[0].Version,
                [
                    .. rows.GroupBy(r => (r.Source, r.Key)).Select(g => new ClaimedKey(
                        g.Key.Source,
                        g.Key.Key,
                        [.. g.Select(r => r.Id)],
                        g.Max(r => r.Attempts),
                        g.Min(r => r.Position),
                        g.All(r => r.IsRebuild),
                        TimeSpan.FromSeconds(Math.Max(0, g.Max(r => r.Age))))),
                ]);
    }
}
