using System.Globalization;

namespace EfScaling.Testing.Redis;

/// <summary>How the sentinels of a cluster watch its master.</summary>
internal static class SentinelConfiguration
{
    /// <summary>Sentinels that must agree that the master is down.</summary>
    public const int Quorum = 2;

    /// <summary>Shorter pauses than in production, where sentinels learn of each other within seconds and of a former master's return after eight.</summary>
    /// <remarks>Redis 7 and later know the command (https://redis.io/commands/sentinel-debug); older ones are slower to start and to fail over.</remarks>
    public static IReadOnlyList<string> Hurry { get; } = ["SENTINEL", "DEBUG", "info-period", "1000", "publish-period", "500"];

    /// <summary>Describes one sentinel.</summary>
    public static RedisConfiguration For(string name, RedisSentinelClusterOptions options, RedisServer master)
    {
        var server = new RedisServerOptions { Password = options.SentinelPassword, Tls = options.Server.Tls };
        return new RedisConfiguration(name, server, master.Authority)
        {
            Directives = [.. Directives(options, master)],
            Arguments = ["--sentinel"],
        };
    }

    private static IEnumerable<string> Directives(RedisSentinelClusterOptions options, RedisServer master)
    {
        var service = options.ServiceName;
        yield return string.Create(CultureInfo.InvariantCulture, $"sentinel monitor {service} {master.Host} {master.Port} {Quorum}");
        yield return string.Create(CultureInfo.InvariantCulture, $"sentinel down-after-milliseconds {service} {options.DownAfter.TotalMilliseconds:0}");
        yield return string.Create(CultureInfo.InvariantCulture, $"sentinel failover-timeout {service} {options.FailoverTimeout.TotalMilliseconds:0}");
        yield return string.Create(CultureInfo.InvariantCulture, $"sentinel parallel-syncs {service} {Math.Max(1, options.Replicas)}");
        if (master.Login.User is { } user)
        {
            yield return $"sentinel auth-user {service} {user}";
        }

        if (master.Login.Password is { } password)
        {
            yield return $"sentinel auth-pass {service} {password}";
        }

        if (options.SentinelPassword is { } own)
        {
            yield return $"sentinel sentinel-pass {own}";
        }
    }
}
