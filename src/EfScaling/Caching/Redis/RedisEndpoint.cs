namespace EfScaling.Caching.Redis;

/// <summary>Where a Redis server or sentinel listens. It names the server in logs and messages, and carries no secret.</summary>
/// <param name="Host">Host name or address.</param>
/// <param name="Port">TCP port.</param>
public readonly record struct RedisEndpoint(string Host, int Port)
{
    /// <inheritdoc />
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? FormattableString.Invariant($"[{Host}]:{Port}") : FormattableString.Invariant($"{Host}:{Port}");

    /// <summary>Reads <c>host</c>, <c>host:port</c>, <c>[ipv6]:port</c>.</summary>
    internal static RedisEndpoint Parse(string text, int defaultPort)
    {
        var colon = text.LastIndexOf(':');
        var hasPort = colon > 0 && (text[colon - 1] == ']' || text.IndexOf(':', StringComparison.Ordinal) == colon);
        var host = (hasPort ? text[..colon] : text).Trim('[', ']');
        if (!hasPort)
        {
            return new RedisEndpoint(host, defaultPort);
        }

        return int.TryParse(text.AsSpan(colon + 1), out var port) && port is > 0 and <= 65535
            ? new RedisEndpoint(host, port)
            : throw new ArgumentException($"The Redis configuration names the server '{text}', whose port is not a number from 1 to 65535.", nameof(text));
    }
}
