namespace EfScaling.Sharding.Catalog;

/// <summary>What a shard is asked for proof of its ownership.</summary>
/// <remarks>
/// <para>
/// Reads: <c>owns</c> is STABLE, so it sees the snapshot of the query that calls it. As a scalar subquery that depends on nothing, PostgreSQL runs it once,
/// before the first row of anything else is fetched, also for aggregates and for empty results. A VOLATILE function would see a later snapshot.
/// </para>
/// <para>
/// Writes: <c>enter</c> is VOLATILE, so it checks what is committed by the time it runs, after it has locked the buckets against being given away until the
/// transaction ends. In front of the first statement it is a CTE that writes, because one that only reads is not run unless it is referred to; it runs at
/// the end of that statement at the latest, which is early enough: until then nothing is committed.
/// </para>
/// </remarks>
internal static class OwnershipSql
{
    /// <summary>The parameter with the maps.</summary>
    public const string Maps = "efscaling_maps";

    /// <summary>The parameter with the bucket of each.</summary>
    public const string Buckets = "efscaling_buckets";

    /// <summary>The parameter with the version of each.</summary>
    public const string Versions = "efscaling_versions";

    /// <summary>The condition of a read.</summary>
    public const string ReadGuard = $"(SELECT efscaling.owns(@{Maps}, @{Buckets}, @{Versions}))";

    /// <summary>What fails a read or write whose shard does not own what the sender takes for granted.</summary>
    public const string NotOwner = "EFS01";

    private const string WriteGuard = $"WITH efscaling_gate AS (INSERT INTO efscaling.gate SELECT true WHERE NOT efscaling.enter(@{Maps}, @{Buckets}, @{Versions}))\n";

    /// <summary>Puts the guard of writes in front of a statement.</summary>
    /// <param name="text">One statement or more, of which the first inserts, updates or deletes.</param>
    /// <returns><see langword="null"/> if the first statement is of another kind.</returns>
    public static string? Guard(string text)
    {
        var first = FirstWord(text);
        return first.Equals("INSERT", StringComparison.OrdinalIgnoreCase)
            || first.Equals("UPDATE", StringComparison.OrdinalIgnoreCase)
            || first.Equals("DELETE", StringComparison.OrdinalIgnoreCase)
            ? WriteGuard + text
            : null;
    }

    // Behind the comments that EF makes of tags.
    private static ReadOnlySpan<char> FirstWord(ReadOnlySpan<char> text)
    {
        text = text.TrimStart();
        while (text.StartsWith("--", StringComparison.Ordinal))
        {
            var end = text.IndexOf('\n');
            text = end < 0 ? [] : text[(end + 1)..].TrimStart();
        }

        var length = text.IndexOfAnyExceptInRange('A', 'z');
        return length < 0 ? text : text[..length];
    }
}
