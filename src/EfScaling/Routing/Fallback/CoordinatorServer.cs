using System.Globalization;
using EfScaling.Topology;
using Npgsql;

namespace EfScaling.Routing.Fallback;

/// <summary>How the fallback coordinator reaches the server of a shard.</summary>
internal static class CoordinatorServer
{
    // Estimates of the servers cost some round trips for each query; without them a join of two large tables may be planned as one of two small ones.
    private const string Reading = "async_capable 'true', fetch_size '5000', use_remote_estimate 'true', updatable 'false'";

    /// <summary>Returns the options of a foreign server, as SQL.</summary>
    /// <param name="settings">What leads the application there; its role and password are no part of the options.</param>
    /// <param name="database">The name of the database.</param>
    public static string OptionsOf(NpgsqlConnectionStringBuilder settings, string database)
    {
        var endpoints = NodeEndpoint.Parse(settings);
        var hosts = string.Join(',', endpoints.Select(e => e.Host.Trim('[', ']')));
        var ports = string.Join(',', endpoints.Select(e => e.Port.ToString(CultureInfo.InvariantCulture)));
        var security = settings.SslMode switch { SslMode.VerifyCA => "verify-ca", SslMode.VerifyFull => "verify-full", var mode => mode.ToString().ToLowerInvariant() };
        var present = endpoints.Count > 1 ? ", target_session_attrs 'primary'" : string.Empty;
        return $"host {Literal(hosts)}, port {Literal(ports)}, dbname {Literal(database)}, sslmode '{security}'{present}, {Reading}";
    }

    private static string Literal(string text) => $"E'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal)}'";
}
