using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace EfScaling.Caching.Redis;

/// <summary>Which server a connection leads to, and which of its lives.</summary>
/// <param name="Endpoint">Where it listens.</param>
/// <param name="ReplicationId">The id of its history, which changes when it becomes a replica or a master.</param>
/// <param name="Incarnation">What tells its data from that of its other lives.</param>
internal sealed record RedisServerIdentity(RedisEndpoint Endpoint, string ReplicationId, long Incarnation)
{
    /// <summary>Reads it from what INFO says.</summary>
    /// <param name="endpoint">Where it listens.</param>
    /// <param name="server">The section <c>server</c>.</param>
    /// <param name="replication">The section <c>replication</c>.</param>
    /// <exception cref="RedisConnectException">The server is not a master, or does not tell its lives apart.</exception>
    public static RedisServerIdentity Read(RedisEndpoint endpoint, string server, string replication)
    {
        var role = Field(replication, "role");
        if (role != "master")
        {
            throw new RedisConnectException(new(RedisFailureKind.ReadOnly, "the server is a read-only replica; name the master, or the sentinels that know it"));
        }

        // A restart changes the first, a failover or resynchronisation with older data the second.
        var run = Field(server, "run_id");
        var history = Field(replication, "master_replid");
        if (run is null || history is null)
        {
            throw new RedisConnectException(new(RedisFailureKind.Protocol, "the server tells no 'run_id' and 'master_replid' by INFO, so that a restart would go unnoticed; use one that does"));
        }

        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{run}|{history}"));
        return new RedisServerIdentity(endpoint, history, BinaryPrimitives.ReadInt64LittleEndian(hash));
    }

    /// <summary>Tells whether the server still is in the life that it was in.</summary>
    /// <param name="replication">The section <c>replication</c> of INFO.</param>
    public bool IsStill(string replication) => Field(replication, "role") == "master" && Field(replication, "master_replid") == ReplicationId;

    private static string? Field(string section, string name)
    {
        foreach (var line in section.AsSpan().EnumerateLines())
        {
            if (line.Length > name.Length && line[name.Length] == ':' && line.StartsWith(name, StringComparison.Ordinal))
            {
                return line[(name.Length + 1)..].Trim().ToString();
            }
        }

        return null;
    }
}
