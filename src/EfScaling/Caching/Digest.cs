using System.Buffers.Binary;
using System.Security.Cryptography;

namespace EfScaling.Caching;

/// <summary>128 bits that nobody can make two inputs agree on: the first half of SHA-256.</summary>
internal static class Digest
{
    /// <summary>Returns the digest of some bytes.</summary>
    public static UInt128 Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return BinaryPrimitives.ReadUInt128BigEndian(hash);
    }
}
