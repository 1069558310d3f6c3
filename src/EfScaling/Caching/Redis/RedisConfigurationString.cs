using System.Globalization;

namespace EfScaling.Caching.Redis;

/// <summary>Reads the configuration strings of StackExchange.Redis.</summary>
internal static class RedisConfigurationString
{
    // They change neither the server nor what may be sent to it. Others, such as proxy or channelPrefix, are refused rather than dropped in silence.
    private static readonly HashSet<string> _withoutEffect = new(StringComparer.OrdinalIgnoreCase)
    {
        "abortConnect", "allowAdmin", "name", "keepAlive", "syncTimeout", "asyncTimeout", "connectRetry", "responseTimeout", "resolveDns", "configCheckSeconds",
        "configChannel", "writeBuffer", "version", "tiebreaker", "highIntegrity", "setlib", "protocol",
    };

    /// <summary>Reads one.</summary>
    public static RedisOptions Parse(string configuration)
    {
        var parts = configuration.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var settings = parts.Where(p => p.Contains('=', StringComparison.Ordinal)).Select(p => p.Split('=', 2, StringSplitOptions.TrimEntries)).ToList();
        var isSentinel = settings.Exists(s => Is(s[0], "serviceName"));
        var options = new RedisOptions
        {
            Endpoints =
            [
                .. parts.Where(p => !p.Contains('=', StringComparison.Ordinal))
                    .Select(p => RedisEndpoint.Parse(p, isSentinel ? RedisOptions.DefaultSentinelPort : RedisOptions.DefaultPort)),
            ],
        };
        return settings.Aggregate(options, (changed, setting) => Apply(changed, setting[0], setting[1]));
    }

    private static RedisOptions Apply(RedisOptions options, string name, string value) => name.ToUpperInvariant() switch
    {
        "USER" => options with { User = value },
        "PASSWORD" => options with { Password = value },
        "SENTINELUSER" => options with { SentinelUser = value },
        "SENTINELPASSWORD" => options with { SentinelPassword = value },
        "SSL" => options with { UseTls = bool.TryParse(value, out var tls) ? tls : throw NoSuchValue(name, "true or false") },
        "SSLHOST" => options with { TlsHost = value },
        "DEFAULTDATABASE" => options with { Database = Number(name, value) },
        "SERVICENAME" => options with { ServiceName = value },
        "CONNECTTIMEOUT" => options with { ConnectTimeout = TimeSpan.FromMilliseconds(Number(name, value)) },
        "MAXWAIT" => options with { MaxWait = TimeSpan.FromMilliseconds(Number(name, value)) },
        _ when _withoutEffect.Contains(name) => options,
        _ => throw new ArgumentException($"The Redis configuration has the setting '{name}', which this library does not know. Remove it."),
    };

    private static int Number(string name, string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw NoSuchValue(name, "a whole number");

    private static bool Is(string name, string other) => string.Equals(name, other, StringComparison.OrdinalIgnoreCase);

    private static ArgumentException NoSuchValue(string name, string wanted) => new($"The Redis configuration has no usable value for '{name}': it must be {wanted}.");
}
