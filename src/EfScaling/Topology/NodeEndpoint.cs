using Npgsql;

namespace EfScaling.Topology;

/// <summary>Where a server listens. It names the node in every log, metric and message, and carries no secret.</summary>
/// <param name="Host">Host name or address in lower case, or socket folder as it is.</param>
/// <param name="Port">TCP port.</param>
internal readonly record struct NodeEndpoint(string Host, int Port)
{
    private const int DefaultPort = 5432;

    /// <summary>Reads the endpoints of a connection string; several for <c>Host=a,b:5433,c</c>.</summary>
    /// <exception cref="ArgumentException">The string names no host, or a port that is no number.</exception>
    public static IReadOnlyList<NodeEndpoint> Parse(NpgsqlConnectionStringBuilder connectionString)
    {
        if (string.IsNullOrWhiteSpace(connectionString.Host))
        {
            throw new ArgumentException("The connection string of a node names no 'Host'. Add 'Host=<name>' to it.", nameof(connectionString));
        }

        var defaultPort = connectionString.Port == 0 ? DefaultPort : connectionString.Port;
        var hosts = connectionString.Host.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return hosts.Length > 0
            ? [.. hosts.Select(h => ParseHost(h, defaultPort))]
            : throw new ArgumentException($"The connection string of a node has the host '{connectionString.Host}', which names no server.", nameof(connectionString));
    }

    /// <inheritdoc />
    public override string ToString() => FormattableString.Invariant($"{Host}:{Port}");

    private static NodeEndpoint ParseHost(string host, int defaultPort)
    {
        if (host.StartsWith('/') || host.StartsWith('@'))
        {
            return new NodeEndpoint(host, defaultPort);
        }

        // A colon inside brackets or more than one colon belongs to an IPv6 address.
        var colon = host.LastIndexOf(':');
        var hasPort = colon > 0 && (host[colon - 1] == ']' || host.IndexOf(':', StringComparison.Ordinal) == colon);
        if (!hasPort)
        {
            return new NodeEndpoint(host.ToLowerInvariant(), defaultPort);
        }

        return int.TryParse(host.AsSpan(colon + 1), out var port)
            ? new NodeEndpoint(host[..colon].ToLowerInvariant(), port)
            : throw new ArgumentException($"The connection string of a node has the host '{host}', whose port is not a number.", nameof(host));
    }
}
