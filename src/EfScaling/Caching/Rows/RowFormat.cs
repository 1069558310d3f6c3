using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace EfScaling.Caching.Rows;

/// <summary>Writes rows as a payload, and reads payloads that may hold anything.</summary>
/// <remarks>
/// <list type="bullet">
/// <item>0: magic <c>EFR</c></item>
/// <item>3: version of the format</item>
/// <item>4: CRC-32C of all that follows, 4 bytes</item>
/// <item>8: stamp, 16 bytes</item>
/// <item>24: created, Unix milliseconds, 8 bytes</item>
/// <item>32: time to live, milliseconds, 8 bytes</item>
/// <item>40: fingerprint of the schema, 8 bytes</item>
/// <item>48: flags, 1 byte: bit 0 is set if the writer was big endian</item>
/// <item>49: number of rows, varint; then the columns</item>
/// </list>
/// All numbers of fixed length in the header are little endian. Payloads hold no names of types: what is constructed is decided by the schema alone.
/// </remarks>
internal static class RowFormat
{
    private const uint MagicAndVersion = 0x01_52_46_45;
    private const int ChecksumOffset = 4;
    private const int CheckedOffset = 8;
    private const int CreatedOffset = 24;
    private const int TimeToLiveOffset = 32;
    private const int FingerprintOffset = 40;
    private const int FlagsOffset = 48;
    private const int HeaderLength = 49;

    // More rows take a bit each, be they null.
    private const int MostRowsOfNothing = 8;

    // Columns hold arrays as they are in memory; a process of the other kind has a miss, not wrong numbers.
    private static readonly byte _flags = BitConverter.IsLittleEndian ? (byte)0 : (byte)1;

    /// <summary>Writes rows.</summary>
    public static byte[] Encode(RowSet rows, in EntryHeader header)
    {
        using var writer = new PayloadWriter();
        var start = writer.GetSpan(HeaderLength)[..HeaderLength];
        BinaryPrimitives.WriteUInt32LittleEndian(start, MagicAndVersion);
        BinaryPrimitives.WriteUInt128LittleEndian(start[CheckedOffset..], header.Stamp);
        BinaryPrimitives.WriteInt64LittleEndian(start[CreatedOffset..], header.CreatedUnixMilliseconds);
        BinaryPrimitives.WriteInt64LittleEndian(start[TimeToLiveOffset..], header.TimeToLiveMilliseconds);
        BinaryPrimitives.WriteUInt64LittleEndian(start[FingerprintOffset..], rows.Schema.Fingerprint);
        start[FlagsOffset] = _flags;
        writer.Advance(HeaderLength);
        writer.Varint((uint)rows.RowCount);
        foreach (var column in rows.Columns)
        {
            column.Write(writer);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(writer.Written[ChecksumOffset..], Checksum(writer.Written[CheckedOffset..]));
        return writer.Written.ToArray();
    }

    /// <summary>Reads what judges an entry, in a few nanoseconds.</summary>
    /// <returns><see langword="false"/> if the payload is none of this version. <see langword="true"/> does not say that the rows are undamaged.</returns>
    public static bool TryReadHeader(ReadOnlySpan<byte> payload, out EntryHeader header)
    {
        if (payload.Length < HeaderLength || BinaryPrimitives.ReadUInt32LittleEndian(payload) != MagicAndVersion)
        {
            header = default;
            return false;
        }

        header = new EntryHeader(
            BinaryPrimitives.ReadUInt128LittleEndian(payload[CheckedOffset..]),
            BinaryPrimitives.ReadInt64LittleEndian(payload[CreatedOffset..]),
            BinaryPrimitives.ReadInt64LittleEndian(payload[TimeToLiveOffset..]));
        return header.TimeToLiveMilliseconds >= 0;
    }

    /// <summary>Reads rows.</summary>
    /// <param name="payload">Any bytes.</param>
    /// <param name="schema">What the rows must hold.</param>
    /// <param name="header">What judges the entry.</param>
    /// <param name="rows">The rows; <see langword="null"/> if they cannot be read.</param>
    /// <returns><see langword="false"/> for every payload that <see cref="Encode"/> did not make from rows of an equal schema. Never throws.</returns>
    public static bool TryDecode(
        ReadOnlyMemory<byte> payload, RowSchema schema, out EntryHeader header, [NotNullWhen(true)] out RowSet? rows)
    {
        rows = null;
        var bytes = payload.Span;
        return TryReadHeader(bytes, out header)
            && bytes[FlagsOffset] == _flags
            && BinaryPrimitives.ReadUInt64LittleEndian(bytes[FingerprintOffset..]) == schema.Fingerprint
            && BinaryPrimitives.ReadUInt32LittleEndian(bytes[ChecksumOffset..]) == Checksum(bytes[CheckedOffset..])
            && TryDecode(bytes[HeaderLength..], schema, out rows);
    }

    /// <summary>Reads rows without a header.</summary>
    internal static bool TryDecode(ReadOnlySpan<byte> body, RowSchema schema, [NotNullWhen(true)] out RowSet? rows)
    {
        rows = null;
        try
        {
            var reader = new PayloadReader(body);
            var count = reader.Varint();
            if (reader.IsDamaged || count > MostRowsOfNothing + (8UL * (uint)body.Length))
            {
                return false;
            }

            if (schema.Read(ref reader, (int)count) is not { } columns || reader.Left > 0)
            {
                return false;
            }

            rows = new RowSet(schema, columns, (int)count);
            return true;
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // Constructors of networks, texts and the like refuse what makes no sense, and codecs of the application do as they please.
            return false;
        }
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var checksum = uint.MaxValue;
        while (bytes.Length >= sizeof(ulong))
        {
            checksum = BitOperations.Crc32C(checksum, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (var value in bytes)
        {
            checksum = BitOperations.Crc32C(checksum, value);
        }

        return ~checksum;
    }
}
