// The options of the provider are only reachable through its internal extension (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using System.Data.Common;
using EfScaling.Topology;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

namespace EfScaling.Replication;

/// <summary>Builds a cluster from what the application configured, and refuses what cannot work.</summary>
/// <remarks>Thread-safe. Opens no connection.</remarks>
internal sealed class ClusterFactory(NodeDataSources sources, TimeProvider clock)
{
    // Longer than one probe waits: the next goes on waiting for the same connection.
    private const int ProbeConnectSeconds = 5;

    private const int MaxProbeConnections = 1_000;

    // Standbys refuse serializable transactions, and in repeatable read a query would share the snapshot of the guard in front of it.
    private const string ReadOnlySessions = @"-c default_transaction_read_only=on -c default_transaction_isolation=read\ committed";

    /// <summary>Builds the cluster.</summary>
    /// <param name="provider">How the context reaches the server that it writes to.</param>
    /// <param name="options">The settings.</param>
    /// <param name="shard">The name of the shard that the cluster is; empty without sharding.</param>
    /// <param name="application">The application's services.</param>
    /// <param name="loggerFactory">Makes the logger.</param>
    /// <exception cref="InvalidOperationException">Nodes are missing, given twice, or cannot be reached the way they are given.</exception>
    public Cluster Create(NpgsqlOptionsExtension provider, ReplicaOptions options, string shard, IServiceProvider? application, ILoggerFactory loggerFactory)
    {
        if (options.MaxStaleness < options.ProbeInterval * 2)
        {
            throw new InvalidOperationException(
                $"UseReadReplicas has MaxStaleness '{options.MaxStaleness}' with ProbeInterval '{options.ProbeInterval}': no replica could prove that it is fresh enough. "
                + "Call MaxStaleness(...) with at least twice the probe interval, or ProbeInterval(...) with at most half of MaxStaleness.");
        }

        var primary = PrimaryConnection.Of(provider, application);
        var nodes = options.Replicas.IsEmpty && !options.IsPrimaryAlone ? NodesOfHosts(provider, primary, options) : [PrimaryNode(provider, primary, options), .. Replicas(provider, options)];
        Verify(nodes, options);

        return new Cluster(
            shard,
            nodes,
            firstNodeIsReference: (options.IsPrimaryAlone || !options.Replicas.IsEmpty) && primary.Endpoints.Count == 1,
            primary.DataSource?.ConnectionString ?? sources.Get(provider, WithoutHostChoice(new NpgsqlConnectionStringBuilder(primary.ConnectionString))).ConnectionString,
            PrimarySource(provider, primary),
            new NodeOptions(provider.WithConnection(null).WithConnectionString(null)),
            options,
            clock,
            Random.Shared,
            loggerFactory.CreateLogger("EfScaling.Replication"));
    }

    private static void Verify(IReadOnlyList<Node> nodes, ReplicaOptions options)
    {
        var twice = nodes.GroupBy(n => n.Endpoint).FirstOrDefault(g => g.Count() > 1);
        if (twice is not null)
        {
            throw new InvalidOperationException(
                twice.Key == nodes[0].Endpoint && !options.Replicas.IsEmpty
                    ? $"UseReadReplicas was given '{twice.Key}' as a replica, which is the server that UseNpgsql names. Remove that AddReplica call: reads reach the primary without it."
                    : $"UseReadReplicas was given the node '{twice.Key}' twice. Name each replica in one AddReplica call, and give it a weight if it should serve more.");
        }

        if (nodes.Count > ReadRequest.MaxNodes)
        {
            throw new InvalidOperationException($"UseReadReplicas was given {nodes.Count} nodes; it works with at most {ReadRequest.MaxNodes}. Remove AddReplica calls.");
        }
    }

    private List<Node> NodesOfHosts(NpgsqlOptionsExtension provider, PrimaryConnection primary, ReplicaOptions options)
    {
        if (primary.Endpoints.Count < 2)
        {
            throw new InvalidOperationException(
                "UseReadReplicas was called without replicas, and the connection string of UseNpgsql names a single host. "
                + "Call UseReadReplicas(r => r.AddReplica(...)), or list all servers as 'Host=a,b,c' in the connection string.");
        }

        if (primary.ConnectionString is not { } connectionString)
        {
            throw new InvalidOperationException(
                "UseReadReplicas was called without replicas over a data source of the application, which does not reveal how to reach its hosts one by one. "
                + "Call UseReadReplicas(r => r.AddReplica(dataSource)) with one data source for each replica.");
        }

        return [.. primary.Endpoints.Select((endpoint, ordinal) => NodeOf(provider, Single(connectionString, endpoint), ordinal, options, region: null, weight: 1))];
    }

    private Node PrimaryNode(NpgsqlOptionsExtension provider, PrimaryConnection primary, ReplicaOptions options) =>
        primary.ConnectionString is { } connectionString
            ? NodeOf(provider, Single(connectionString, primary.Endpoints[0]), ordinal: 0, options, region: null, weight: 1)
            : NodeOf(primary.DataSource!, ordinal: 0, region: null, weight: 1);

    private IEnumerable<Node> Replicas(NpgsqlOptionsExtension provider, ReplicaOptions options) =>
        options.Replicas.Select((replica, index) =>
        {
            if (replica.DataSource is { } dataSource)
            {
                return NodeOf(dataSource, index + 1, replica.Region, replica.Weight);
            }

            if (provider.DataSource is not null)
            {
                throw new InvalidOperationException(
                    "UseReadReplicas was given a replica by connection string, while UseNpgsql was given a data source, whose mappings and callbacks cannot be read back. "
                    + "Build a data source for each replica in the same way and call AddReplica(dataSource).");
            }

            var connectionString = ConnectionStringOf(replica);
            return NodeOf(provider, connectionString, index + 1, options, replica.Region, replica.Weight);
        });

    private static NpgsqlConnectionStringBuilder ConnectionStringOf(ReplicaDefinition replica)
    {
        NpgsqlConnectionStringBuilder connectionString;
        try
        {
            connectionString = new NpgsqlConnectionStringBuilder(replica.ConnectionString);
        }
        catch (ArgumentException exception)
        {
            throw new InvalidOperationException("UseReadReplicas was given a replica whose connection string cannot be read. Correct the string in its AddReplica call.", exception);
        }

        var endpoints = NodeEndpoint.Parse(connectionString);
        return endpoints.Count == 1
            ? connectionString
            : throw new InvalidOperationException(
                $"UseReadReplicas was given a replica with {endpoints.Count} hosts ('{string.Join(", ", endpoints)}'). Call AddReplica once for each of them.");
    }

    private Node NodeOf(NpgsqlOptionsExtension provider, NpgsqlConnectionStringBuilder connectionString, int ordinal, ReplicaOptions options, string? region, double weight)
    {
        var maxConnections = Sets(connectionString, "Maximum Pool Size") ? connectionString.MaxPoolSize : options.MaxConnections;

        WithoutHostChoice(connectionString).Enlist = false;
        var plain = connectionString.ConnectionString;
        connectionString.Options = string.IsNullOrEmpty(connectionString.Options) ? ReadOnlySessions : $"{connectionString.Options} {ReadOnlySessions}";

        var (reads, probes) = SourcesOf(provider, connectionString.ConnectionString, maxConnections, options);
        return new Node(
            NodeEndpoint.Parse(connectionString)[0],
            ordinal,
            reads,
            probes,
            new NodeTraits(region, weight, maxConnections, SessionsAreReadOnly: true),
            () => SourcesOf(provider, plain, maxConnections, options));
    }

    private (NpgsqlDataSource Reads, NpgsqlDataSource Probes) SourcesOf(NpgsqlOptionsExtension provider, string connectionString, int maxConnections, ReplicaOptions options)
    {
        var forReads = new NpgsqlConnectionStringBuilder(connectionString)
        {
            MaxPoolSize = maxConnections,
            MinPoolSize = Math.Min(new NpgsqlConnectionStringBuilder(connectionString).MinPoolSize, maxConnections),
            Timeout = (int)options.ConnectTimeout.TotalSeconds,
        };
        var forProbes = new NpgsqlConnectionStringBuilder(connectionString)
        {
            // Each monitor holds one, and for a while those of a node that hung; all monitors over the node share the pool, whatever their settings.
            MaxPoolSize = MaxProbeConnections,
            MinPoolSize = 0,
            Timeout = Math.Max(ProbeConnectSeconds, (int)Math.Ceiling(options.ProbeTimeout.TotalSeconds)),
            TcpKeepAlive = true,
            TcpKeepAliveTime = 5,
            TcpKeepAliveInterval = 1,
        };

        return (sources.Get(provider, forReads), sources.Get(provider, forProbes));
    }

    // Data sources refuse to be told which of several hosts to take: they are asked for it instead.
    private static NpgsqlConnectionStringBuilder WithoutHostChoice(NpgsqlConnectionStringBuilder connectionString)
    {
        connectionString.Remove("Target Session Attributes");
        connectionString.Remove("Load Balance Hosts");
        return connectionString;
    }

    // The builder of Npgsql says of every keyword it knows that it contains it; its text has only those that were set, under their canonical names.
    private static bool Sets(NpgsqlConnectionStringBuilder connectionString, string keyword) =>
        new DbConnectionStringBuilder { ConnectionString = connectionString.ConnectionString }.ContainsKey(keyword);

    private static Node NodeOf(NpgsqlDataSource dataSource, int ordinal, string? region, double weight)
    {
        var connectionString = new NpgsqlConnectionStringBuilder(dataSource.ConnectionString);
        var endpoints = NodeEndpoint.Parse(connectionString);
        if (endpoints.Count > 1)
        {
            throw new InvalidOperationException(
                $"UseReadReplicas was given a data source with {endpoints.Count} hosts ('{string.Join(", ", endpoints)}') as one node. Give one data source for each server.");
        }

        var readOnly = connectionString.Options?.Contains("default_transaction_read_only=on", StringComparison.OrdinalIgnoreCase) == true;

        // The monitor holds one of the connections.
        var maxConnections = Math.Max(1, connectionString.MaxPoolSize - 1);
        return new Node(endpoints[0], ordinal, dataSource, dataSource, new NodeTraits(region, weight, maxConnections, readOnly));
    }

    private NpgsqlDataSource? PrimarySource(NpgsqlOptionsExtension provider, PrimaryConnection primary)
    {
        if (primary.Endpoints.Count < 2)
        {
            return null;
        }

        if (primary.DataSource is not null)
        {
            return (primary.DataSource as NpgsqlMultiHostDataSource)?.WithTargetSession(TargetSessionAttributes.Primary);
        }

        var connectionString = WithoutHostChoice(new NpgsqlConnectionStringBuilder(primary.ConnectionString));
        return ((NpgsqlMultiHostDataSource)sources.Get(provider, connectionString)).WithTargetSession(TargetSessionAttributes.Primary);
    }

    private static NpgsqlConnectionStringBuilder Single(string connectionString, NodeEndpoint endpoint) => new(connectionString) { Host = endpoint.Host, Port = endpoint.Port };

    /// <summary>How the context reaches the server it writes to.</summary>
    private sealed record PrimaryConnection(string? ConnectionString, NpgsqlDataSource? DataSource, IReadOnlyList<NodeEndpoint> Endpoints)
    {
        public static PrimaryConnection Of(NpgsqlOptionsExtension provider, IServiceProvider? application)
        {
            if (provider.ProvidePasswordCallback is not null)
            {
                throw new InvalidOperationException(
                    "UseReadReplicas cannot hand the obsolete ProvidePasswordCallback to the connections of replicas. "
                    + "Set the password in UseNpgsql(..., o => o.ConfigureDataSource(b => b.UsePasswordProvider(...))).");
            }

            var dataSource = provider.DataSource as NpgsqlDataSource
                ?? (provider is { ConnectionString: null, Connection: null } ? application?.GetService<NpgsqlDataSource>() : null);
            if (dataSource is not null)
            {
                return new PrimaryConnection(null, dataSource, NodeEndpoint.Parse(new NpgsqlConnectionStringBuilder(dataSource.ConnectionString)));
            }

            var connectionString = provider.ConnectionString ?? provider.Connection?.ConnectionString;
            return string.IsNullOrWhiteSpace(connectionString)
                ? throw new InvalidOperationException("UseReadReplicas needs a connection string, a connection or a data source in UseNpgsql; it has none.")
                : new PrimaryConnection(connectionString, null, NodeEndpoint.Parse(new NpgsqlConnectionStringBuilder(connectionString)));
        }
    }
}
