using System.Buffers.Binary;
using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace EfScaling.Consistency;

/// <summary>Turns tokens into short signed text for cookies, headers and messages, and back.</summary>
/// <remarks>Thread-safe. The text is signed, not encrypted: it tells how far the servers' logs have grown, and nothing else.</remarks>
public sealed class ConsistencyTokenProtector
{
    // The text is base64url of
    //   version      1 byte, 1
    //   flags        1 byte, bit 0: unknown
    //   count        variable-length integer
    //   count times  length of the shard's name (variable), the name in UTF-8, system identifier (8 bytes, little-endian),
    //                timeline (variable), position (variable), server seen (variable)
    //   signature    16 bytes, the first half of HMAC-SHA256 over all before it
    // Variable-length integers have 7 bits a byte, lowest first, and the high bit on all bytes but the last.
    private const byte Version = 1;
    private const byte UnknownFlag = 1;
    private const int SignatureLength = 16;
    private const int MinKeyLength = 16;

    // Far more than any application has shards; what is longer was not written here.
    private const int MaxTextLength = 64 * 1024;

    private readonly byte[][] _keys;

    /// <param name="keys">Keys of at least 16 bytes. The first one signs; all of them are accepted, so that keys can be changed one instance at a time.</param>
    /// <exception cref="ArgumentException">There is no key, or one is shorter than 16 bytes.</exception>
    public ConsistencyTokenProtector(params byte[][] keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        if (keys.Length == 0 || keys.Any(k => k is null || k.Length < MinKeyLength))
        {
            throw new ArgumentException(
                $"A ConsistencyTokenProtector needs at least one key, and each key at least {MinKeyLength} bytes. Make one with RandomNumberGenerator.GetBytes(32) and keep it as a secret.",
                nameof(keys));
        }

        _keys = [.. keys.Select(k => k.ToArray())];
    }

    /// <summary>Writes and signs a token.</summary>
    /// <param name="token">The token.</param>
    /// <returns>Letters, digits, '-' and '_'; about 70 characters for one shard.</returns>
    public string Protect(ConsistencyToken token)
    {
        ArgumentNullException.ThrowIfNull(token);
        using var stream = new MemoryStream(64);
        stream.WriteByte(Version);
        stream.WriteByte(token.IsUnknown ? UnknownFlag : (byte)0);
        WriteNumber(stream, (ulong)token.Positions.Length);
        foreach (var position in token.Positions)
        {
            Write(stream, position);
        }

        stream.Write(Sign(_keys[0], stream.GetBuffer().AsSpan(0, (int)stream.Length)));
        return Base64Url.EncodeToString(stream.GetBuffer().AsSpan(0, (int)stream.Length));
    }

    /// <summary>Checks and reads what <see cref="Protect"/> has written. Never throws for what a client may send.</summary>
    /// <param name="text">The text.</param>
    /// <returns>
    /// The token; <see cref="ConsistencyToken.None"/> for no text, and <see cref="ConsistencyToken.Unknown"/> for text that was changed, cut, signed with
    /// another key, or written by a later version.
    /// </returns>
    public ConsistencyToken Unprotect(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return ConsistencyToken.None;
        }

        if (text.Length > MaxTextLength || !Base64Url.IsValid(text))
        {
            return ConsistencyToken.Unknown;
        }

        var bytes = Base64Url.DecodeFromChars(text);
        if (bytes.Length <= SignatureLength)
        {
            return ConsistencyToken.Unknown;
        }

        var payload = bytes.AsSpan(..^SignatureLength);
        return IsSigned(payload, bytes.AsSpan(^SignatureLength..)) ? Read(payload) ?? ConsistencyToken.Unknown : ConsistencyToken.Unknown;
    }

    private static void Write(MemoryStream stream, ShardPosition position)
    {
        WriteNumber(stream, (ulong)Encoding.UTF8.GetByteCount(position.Shard));
        stream.Write(Encoding.UTF8.GetBytes(position.Shard));
        Span<byte> systemId = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(systemId, position.SystemId);
        stream.Write(systemId);
        WriteNumber(stream, position.Timeline);
        WriteNumber(stream, position.Position.Value);
        WriteNumber(stream, position.SeenOn);
    }

    private static void WriteNumber(MemoryStream stream, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            stream.WriteByte((byte)(value | 0x80));
        }

        stream.WriteByte((byte)value);
    }

    // Null for what is signed but not understood.
    private static ConsistencyToken? Read(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < 2 || payload[0] != Version || (payload[1] & ~UnknownFlag) != 0)
        {
            return null;
        }

        var isUnknown = payload[1] == UnknownFlag;
        payload = payload[2..];
        if (!TryReadNumber(ref payload, out var count))
        {
            return null;
        }

        var token = isUnknown ? ConsistencyToken.Unknown : ConsistencyToken.None;
        for (; count > 0; count--)
        {
            if (ReadPosition(ref payload) is not { } position)
            {
                return null;
            }

            token = token.Merge(new ConsistencyToken([position]));
        }

        return payload.IsEmpty ? token : null;
    }

    private static ShardPosition? ReadPosition(ref ReadOnlySpan<byte> payload)
    {
        if (!TryReadNumber(ref payload, out var nameLength) || nameLength > (ulong)payload.Length)
        {
            return null;
        }

        var name = Encoding.UTF8.GetString(payload[..(int)nameLength]);
        payload = payload[(int)nameLength..];
        if (payload.Length < sizeof(ulong))
        {
            return null;
        }

        var systemId = BinaryPrimitives.ReadUInt64LittleEndian(payload);
        payload = payload[sizeof(ulong)..];
        return TryReadNumber(ref payload, out var timeline) && timeline <= uint.MaxValue && TryReadNumber(ref payload, out var position) && TryReadNumber(ref payload, out var seenOn)
            ? new ShardPosition(name, systemId, (uint)timeline, new WalPosition(position), seenOn)
            : null;
    }

    private static bool TryReadNumber(ref ReadOnlySpan<byte> payload, out ulong value)
    {
        value = 0;
        for (var shift = 0; shift < 64 && !payload.IsEmpty; shift += 7)
        {
            var next = payload[0];
            payload = payload[1..];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return true;
            }
        }

        return false;
    }

    private static ReadOnlySpan<byte> Sign(byte[] key, ReadOnlySpan<byte> payload) => HMACSHA256.HashData(key, payload).AsSpan(..SignatureLength);

    private bool IsSigned(ReadOnlySpan<byte> payload, ReadOnlySpan<byte> signature)
    {
        foreach (var key in _keys)
        {
            if (CryptographicOperations.FixedTimeEquals(Sign(key, payload), signature))
            {
                return true;
            }
        }

        return false;
    }
}
