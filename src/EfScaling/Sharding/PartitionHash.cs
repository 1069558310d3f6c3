using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text;

namespace EfScaling.Sharding;

/// <summary>The hash by which PostgreSQL tells the partition of a row, so that the server can check and filter by the same number.</summary>
/// <remarks>
/// Exact for servers with little-endian processors; for text in databases whose encoding is UTF8 and collation deterministic. Stateless, and allocates
/// nothing for text of up to 256 bytes. Follows hash_bytes_extended and hash_bytes_uint32_extended of src/common/hashfn.c (Bob Jenkins' lookup3), the
/// hash…extended functions of the types, and compute_partition_hash_value of src/backend/partitioning/partbounds.c.
/// </remarks>
internal static class PartitionHash
{
    /// <summary>HASH_PARTITION_SEED of src/include/catalog/partition.h: the second argument of the functions on the server.</summary>
    public const ulong Seed = 0x7A5B22367996DCFD;

    /// <summary>The number that hash_combine64 adds for each column.</summary>
    public const ulong CombineConstant = 0x49a0f4dd15e5a8e3;

    private const int StackBytes = 256;

    // All 32-bit and all 16-byte values begin with the same three words.
    private static readonly (uint A, uint B, uint C) _startOfWord = Start(sizeof(uint));
    private static readonly (uint A, uint B, uint C) _startOfUuid = Start(16);

    /// <summary>Adds a column to the hash of a row.</summary>
    /// <param name="row">The hash of the columns before it; zero for the first.</param>
    /// <param name="column">The hash of the column's value; <see langword="null"/> for NULL, which contributes nothing.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Combine(ulong row, ulong? column) =>
        column is { } value ? row ^ (value + CombineConstant + (row << 54) + (row >> 7)) : row;

    /// <summary>Hashes an int2.</summary>
    public static ulong Of(short value) => OfWord((uint)value);

    /// <summary>Hashes an int4.</summary>
    public static ulong Of(int value) => OfWord((uint)value);

    /// <summary>Hashes an int8, or the microseconds of a timestamp; equal to the hash of the same number as an int4.</summary>
    public static ulong Of(long value)
    {
        var high = (uint)(value >> 32);
        return OfWord((uint)value ^ (value >= 0 ? high : ~high));
    }

    /// <summary>Hashes a bool.</summary>
    public static ulong Of(bool value) => OfWord(value ? 1u : 0u);

    /// <summary>Hashes a date.</summary>
    public static ulong Of(DateOnly value) => Of(PostgresTime.DaysOf(value));

    /// <summary>Hashes a timestamp, or a timestamptz given in UTC.</summary>
    public static ulong Of(DateTime value) => Of(PostgresTime.MicrosecondsOf(value));

    /// <summary>Hashes a uuid.</summary>
    public static ulong Of(Guid value)
    {
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes, bigEndian: true, out _);
        return OfUuid(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));
    }

    /// <summary>Hashes a uuid given as its first and its last eight bytes.</summary>
    public static ulong OfUuid(ulong first, ulong last)
    {
        var (a, b, c) = _startOfUuid;
        a += BinaryPrimitives.ReverseEndianness((uint)(first >> 32));
        b += BinaryPrimitives.ReverseEndianness((uint)first);
        c += BinaryPrimitives.ReverseEndianness((uint)(last >> 32));
        Mix(ref a, ref b, ref c);
        a += BinaryPrimitives.ReverseEndianness((uint)last);
        return Finish(a, b, c);
    }

    /// <summary>Hashes a text or varchar.</summary>
    /// <param name="value">Valid UTF-16: what the server cannot hold has no hash.</param>
    public static ulong Of(ReadOnlySpan<char> value)
    {
        // Most bytes that UTF-8 needs for one UTF-16 unit.
        const int BytesOfUnit = 3;
        if (value.Length <= StackBytes / BytesOfUnit || Encoding.UTF8.GetByteCount(value) <= StackBytes)
        {
            Span<byte> bytes = stackalloc byte[StackBytes];
            return Of(bytes[..Encoding.UTF8.GetBytes(value, bytes)]);
        }

        var rented = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetByteCount(value));
        try
        {
            return Of(rented.AsSpan(0, Encoding.UTF8.GetBytes(value, rented)));
        }
        finally
        {
            // Keys may be personal data, and the pool hands its arrays to anyone.
            ArrayPool<byte>.Shared.Return(rented, clearArray: true);
        }
    }

    /// <summary>Hashes a bytea, or text that is UTF-8 already.</summary>
    public static ulong Of(ReadOnlySpan<byte> value)
    {
        var (a, b, c) = Start((uint)value.Length);
        while (value.Length >= 12)
        {
            a += BinaryPrimitives.ReadUInt32LittleEndian(value);
            b += BinaryPrimitives.ReadUInt32LittleEndian(value[4..]);
            c += BinaryPrimitives.ReadUInt32LittleEndian(value[8..]);
            Mix(ref a, ref b, ref c);
            value = value[12..];
        }

        // The lowest byte of the third word is reserved for the length, which the start has taken in.
        if (value.Length > 8)
        {
            c += Tail(value[8..]) << 8;
            value = value[..8];
        }

        if (value.Length > 4)
        {
            b += Tail(value[4..]);
            value = value[..4];
        }

        return Finish(a + Tail(value), b, c);
    }

    private static ulong OfWord(uint value)
    {
        var (a, b, c) = _startOfWord;
        return Finish(a + value, b, c);
    }

    // Up to four bytes as a little-endian number.
    private static uint Tail(ReadOnlySpan<byte> bytes) => bytes.Length switch
    {
        0 => 0,
        1 => bytes[0],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        3 => BinaryPrimitives.ReadUInt16LittleEndian(bytes) | ((uint)bytes[2] << 16),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
    };

    private static (uint A, uint B, uint C) Start(uint length)
    {
        var start = 0x9e3779b9 + length + 3_923_095;
        var (a, b, c) = (start + (uint)(Seed >> 32), start + unchecked((uint)Seed), start);
        Mix(ref a, ref b, ref c);
        return (a, b, c);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mix(ref uint a, ref uint b, ref uint c)
    {
        a = (a - c) ^ BitOperations.RotateLeft(c, 4);
        c += b;
        b = (b - a) ^ BitOperations.RotateLeft(a, 6);
        a += c;
        c = (c - b) ^ BitOperations.RotateLeft(b, 8);
        b += a;
        a = (a - c) ^ BitOperations.RotateLeft(c, 16);
        c += b;
        b = (b - a) ^ BitOperations.RotateLeft(a, 19);
        a += c;
        c = (c - b) ^ BitOperations.RotateLeft(b, 4);
        b += a;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Finish(uint a, uint b, uint c)
    {
        c = (c ^ b) - BitOperations.RotateLeft(b, 14);
        a = (a ^ c) - BitOperations.RotateLeft(c, 11);
        b = (b ^ a) - BitOperations.RotateLeft(a, 25);
        c = (c ^ b) - BitOperations.RotateLeft(b, 16);
        a = (a ^ c) - BitOperations.RotateLeft(c, 4);
        b = (b ^ a) - BitOperations.RotateLeft(a, 14);
        c = (c ^ b) - BitOperations.RotateLeft(b, 24);
        return ((ulong)b << 32) | c;
    }
}
