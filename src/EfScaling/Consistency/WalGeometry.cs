namespace EfScaling.Consistency;

/// <summary>The sizes of WAL pages and segments of a cluster, by which positions become comparable.</summary>
/// <param name="BlockSize">Bytes of a WAL page (<c>wal_block_size</c>).</param>
/// <param name="SegmentSize">Bytes of a WAL segment (<c>wal_segment_size</c>).</param>
internal readonly record struct WalGeometry(uint BlockSize, uint SegmentSize)
{
    // SizeOfXLogLongPHD and SizeOfXLogShortPHD in PostgreSQL's src/include/access/xlog_internal.h.
    private const uint LongPageHeader = 40;
    private const uint ShortPageHeader = 24;

    /// <summary>Takes the page header off a primary's insert position that stands right behind one.</summary>
    /// <remarks>
    /// At the start of a page <c>pg_current_wal_insert_lsn()</c> already counts the header of the page, while replay stops before it until
    /// another record is written: without this a replica that has everything would never count as caught up on an idle cluster.
    /// </remarks>
    public WalPosition Normalize(WalPosition insertPosition)
    {
        if (BlockSize == 0 || SegmentSize == 0)
        {
            return insertPosition;
        }

        if (insertPosition.Value % SegmentSize == LongPageHeader)
        {
            return new WalPosition(insertPosition.Value - LongPageHeader);
        }

        return insertPosition.Value % BlockSize == ShortPageHeader ? new WalPosition(insertPosition.Value - ShortPageHeader) : insertPosition;
    }
}
