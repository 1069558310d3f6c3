using System.Globalization;

namespace EfScaling.Caching.Redis;

/// <summary>Asks the sentinels which server is the master at present.</summary>
/// <remarks>The answer may be out of date: whoever connects to it checks its role. Stateless.</remarks>
internal static class SentinelResolver
{
    /// <summary>Asks one after the other until one knows.</summary>
    /// <exception cref="RedisConnectException">None does.</exception>
    public static RedisEndpoint Resolve(RedisOptions options)
    {
        var reasons = new List<string>();
        foreach (var sentinel in options.Endpoints)
        {
            try
            {
                return Ask(sentinel, options);
            }
            catch (RedisConnectException failed)
            {
                reasons.Add($"sentinel {sentinel}: {failed.Failure.Text}");
            }
        }

        throw new RedisConnectException(new(RedisFailureKind.NotConnected, $"no sentinel tells the master of '{options.ServiceName}' ({string.Join("; ", reasons)})"));
    }

    private static RedisEndpoint Ask(RedisEndpoint sentinel, RedisOptions options)
    {
        using var dialog = RedisDialog.Open(sentinel, options, options.SentinelUser);
        if (options.SentinelPassword is { } password)
        {
            _ = options.SentinelUser is { } user ? dialog.Ask("auth", "AUTH", user, password) : dialog.Ask("auth", "AUTH", password);
        }

        var address = dialog.AskList("sentinel", "SENTINEL", "GET-MASTER-ADDR-BY-NAME", options.ServiceName!);
        return address.Count == 2 && int.TryParse(address[1], NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            ? new RedisEndpoint(address[0], port)
            : throw new RedisConnectException(new(RedisFailureKind.NotConnected, "it knows no such master; correct 'serviceName'"));
    }
}
