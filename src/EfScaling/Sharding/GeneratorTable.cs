namespace EfScaling.Sharding;

/// <summary>The table that gives each process that makes ids a number of its own, on the default shard.</summary>
/// <remarks>
/// <para>
/// A number is reserved for the time that ids carry, not for that of any clock: whoever has raised <c>used_until</c> of a number from one value to another may make the
/// ids of that number with the milliseconds behind the first up to the second, and nobody else ever may. So ids are unique whatever the clocks of processes and servers say.
/// </para>
/// <para>
/// A primary that takes over without the last reservations, as an asynchronous replica may, gives a number away once more. It is chosen at random, so that this is hardly the
/// one which was lost; by the longest unused it always would be.
/// </para>
/// <para>A number counts as free when its time is behind the clock of the one who asks. One who is wrong about that keeps the holder from raising it again, and no more.</para>
/// </remarks>
internal static class GeneratorTable
{
    /// <summary>Creates the table with a row for each number, unless it is there.</summary>
    /// <remarks>Under a lock: of two who create a schema at once, PostgreSQL fails one.</remarks>
    public const string Create =
        """
        SELECT pg_advisory_xact_lock(hashtextextended('efscaling.id_generator', 0));
        CREATE SCHEMA IF NOT EXISTS efscaling;
        CREATE TABLE IF NOT EXISTS efscaling.id_generator (number integer PRIMARY KEY, used_until bigint NOT NULL);
        INSERT INTO efscaling.id_generator SELECT n, 0 FROM generate_series(0, 127) AS n ON CONFLICT DO NOTHING
        """;

    /// <summary>Takes a free number for a while. Parameters: the present moment, the moment after which ids are wanted, and for how long.</summary>
    /// <returns>No row if none is free; else the number, and the moments after which and up to which it may be used.</returns>
    public const string Claim =
        """
        WITH free AS (SELECT number, used_until FROM efscaling.id_generator WHERE used_until < @now ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED)
        UPDATE efscaling.id_generator AS g SET used_until = greatest(@now, @behind) + @length FROM free WHERE g.number = free.number
        RETURNING g.number, greatest(free.used_until, @behind), g.used_until
        """;

    /// <summary>Goes on with a number. Parameters: the number, up to when it may be used, the present moment, and for how much longer.</summary>
    /// <returns>No row if another has it now; else up to when it may be used.</returns>
    public const string Extend =
        """
        UPDATE efscaling.id_generator SET used_until = greatest(@now, @until) + @length WHERE number = @number AND used_until = @until RETURNING used_until
        """;

    /// <summary>Tells when the next number is free.</summary>
    public const string NextFree = "SELECT min(used_until) FROM efscaling.id_generator";
}
