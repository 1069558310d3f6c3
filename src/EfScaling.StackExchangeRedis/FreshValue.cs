using StackExchange.Redis;

namespace EfScaling.Caching.StackExchangeRedis;

/// <summary>Where the counting of something that is missing starts.</summary>
internal static class FreshValue
{
    // Far apart, so that what is counted up from one is not reached from another; and exact as a double, which Lua's numbers are.
    private const long Least = 1L << 40;
    private const long Most = 1L << 52;

    public static RedisValue Next() => Random.Shared.NextInt64(Least, Most);
}
