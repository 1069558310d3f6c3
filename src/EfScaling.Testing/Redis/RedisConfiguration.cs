using System.Globalization;
using EfScaling.Testing.Processes;

namespace EfScaling.Testing.Redis;

/// <summary>Writes the configuration file of a Redis server.</summary>
internal static class RedisConfiguration
{
    /// <summary>Writes the file and returns its path.</summary>
    /// <remarks>The password is in the file, not on the command line, which every user of the machine can read.</remarks>
    public static async Task<string> WriteAsync(ServerFolder folder, int port, string? password, CancellationToken cancellationToken)
    {
        var path = folder.Combine("redis.conf");
        var text = string.Create(
            CultureInfo.InvariantCulture,
            $"""
            bind 127.0.0.1
            port {port}
            dir "{folder.Path}"
            daemonize no
            save ""
            appendonly no
            {(password is null ? "" : $"requirepass {password}")}

            """);
        await File.WriteAllTextAsync(path, text, cancellationToken).ConfigureAwait(false);
        return path;
    }
}
