using NpgsqlTypes;

namespace EfScaling.Testing.Postgres;

/// <summary>The end of the newest record of a primary, as a position that a standby can reach.</summary>
internal static class InsertPosition
{
    private const int LongHeader = 40;
    private const int ShortHeader = 24;

    private const string Query =
        """
        SELECT ARRAY[pg_current_wal_insert_lsn() - '0/0', pg_current_wal_flush_lsn() - '0/0',
                     pg_size_bytes(current_setting('wal_segment_size')), current_setting('wal_block_size')::numeric]
        """;

    public static async Task<NpgsqlLogSequenceNumber> ReadAsync(PostgresServer primary, CancellationToken cancellationToken)
    {
        var read = await primary.ScalarAsync<decimal[]>(Query, cancellationToken).ConfigureAwait(false)
            ?? throw new InvalidOperationException($"Server '{primary.Name}' told no position.");
        var position = Normalise((ulong)read[0], (ulong)read[2], (ulong)read[3]);
        if ((ulong)read[1] < position)
        {
            // Standbys receive only what is flushed, and records of an open transaction may wait for that without end.
            // A commit flushes all before it; 'local' because a synchronous standby may be down.
            await primary.ExecuteAsync(
                "BEGIN; SET LOCAL synchronous_commit = local; SELECT pg_logical_emit_message(true, 'EfScaling.Testing', ''); COMMIT",
                cancellationToken).ConfigureAwait(false);
        }

        return new NpgsqlLogSequenceNumber(position);
    }

    /// <summary>Takes off the header of a page that holds no record yet.</summary>
    /// <remarks>
    /// At the start of a page the insert position is reported behind the page's header, but replay stops before it: an idle primary would never
    /// be reached. The header has 40 bytes on the first page of a segment and 24 on others (XLogPageHeaderData).
    /// </remarks>
    public static ulong Normalise(ulong position, ulong segmentSize, ulong pageSize)
    {
        if (position % segmentSize == LongHeader)
        {
            return position - LongHeader;
        }

        return position % pageSize == ShortHeader ? position - ShortHeader : position;
    }
}
