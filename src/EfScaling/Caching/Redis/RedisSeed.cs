using System.Security.Cryptography;

namespace EfScaling.Caching.Redis;

/// <summary>Makes values that a version never had.</summary>
internal static class RedisSeed
{
    private const long Least = 1L << 40;
    private const long Above = 1L << 52;

    /// <summary>Makes one.</summary>
    /// <remarks>From the system's generator rather than <see cref="Random"/>: processes that start at the same time must not draw the same.</remarks>
    public static long Next()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(bytes);
        return Least + (long)(BitConverter.ToUInt64(bytes) % (Above - Least));
    }
}
