using System.Collections.Frozen;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Topology;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace EfScaling.Replication;

/// <summary>A primary and its replicas as this process knows and uses them; all contexts with equal settings share one.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class Cluster : IPositionSource
{
    // With and without password, for each of a few data sources.
    private const int MaxOwnConnectionStrings = 8;

    private readonly FreshnessGate _gate;
    private readonly ReplicaSelector _selector;
    private readonly ClusterMonitor _monitor;
    private readonly PrimaryPosition _positions;
    private readonly Database _ownDatabase;
    private volatile string[] _ownConnectionStrings = [];

    /// <param name="shard">The name of the shard that the cluster is; empty without sharding.</param>
    /// <param name="nodes">The nodes; the first is the one the context writes to, unless the context's own connection lists several hosts.</param>
    /// <param name="firstNodeIsReference">Whether the first node says which cluster this is.</param>
    /// <param name="ownConnectionString">What leads to the database that the context writes to.</param>
    /// <param name="primarySource">Source of connections to the present primary when the context's own connection lists several hosts.</param>
    /// <param name="nodeOptions">What connections to nodes are built with.</param>
    /// <param name="options">The settings.</param>
    /// <param name="clock">The monotonic clock.</param>
    /// <param name="random">Source of the random draws; thread-safe.</param>
    /// <param name="logger">Receives what happens to nodes.</param>
    public Cluster(
        string shard,
        IReadOnlyList<Node> nodes,
        bool firstNodeIsReference,
        string ownConnectionString,
        NpgsqlDataSource? primarySource,
        NodeOptions nodeOptions,
        ReplicaOptions options,
        TimeProvider clock,
        Random random,
        ILogger logger)
    {
        (Shard, Nodes, PrimarySource, NodeOptions, Options, Clock, Logger) = (shard, nodes, primarySource, nodeOptions, options, clock, logger);
        _ownDatabase = Database.Of(ownConnectionString);
        PoolSize = PoolSizeOf(ownConnectionString);
        PrimaryName = firstNodeIsReference ? nodes[0].Name : null;
        _gate = new FreshnessGate(options, clock);
        _selector = new ReplicaSelector(options, _gate, clock, random);
        Picture = new ClusterPicture(nodes, firstNodeIsReference, options, _gate, clock);
        _monitor = new ClusterMonitor(nodes, Picture, _gate, options, clock, random, logger);
        _positions = new PrimaryPosition(Picture, nodes[0], options, clock, logger);
        Fallback = new FallbackBudget(options.FallbackReadsPerSecond, clock);
        CatchUp = new CatchUp(options, clock);
    }

    /// <summary>Gets the nodes by ordinal.</summary>
    public IReadOnlyList<Node> Nodes { get; }

    /// <summary>Gets the source of connections to the present primary, or <see langword="null"/> when the context's own connection is used as it is.</summary>
    public NpgsqlDataSource? PrimarySource { get; }

    /// <summary>Gets what connections to nodes are built with.</summary>
    public NodeOptions NodeOptions { get; }

    /// <summary>Gets the settings.</summary>
    public ReplicaOptions Options { get; }

    /// <summary>Gets the monotonic clock.</summary>
    public TimeProvider Clock { get; }

    /// <summary>Gets where the router of this cluster logs.</summary>
    public ILogger Logger { get; }

    /// <summary>Gets what is known about the nodes.</summary>
    public ClusterPicture Picture { get; }

    /// <summary>Gets the bound on reads that the primary takes for want of replicas.</summary>
    public FallbackBudget Fallback { get; }

    /// <summary>Gets whether reads may wait for a replica to catch up.</summary>
    public CatchUp CatchUp { get; }

    /// <inheritdoc />
    public string Shard { get; }

    /// <inheritdoc />
    public string Servers => _ownDatabase.Endpoints;

    /// <inheritdoc />
    public ServerIdentity? Identity => Picture.Current.Primary?.Sample?.Identity;

    /// <inheritdoc />
    public WalGeometry Geometry => Picture.Current.Primary?.Sample?.Geometry ?? default;

    // Fixed when the context names its primary; otherwise whichever node is writable.
    private string? PrimaryName { get; }

    /// <summary>Gets the name of the node that the context writes to.</summary>
    public string WriterName => PrimaryName ?? Picture.Current.Primary?.Node.Name ?? "primary";

    /// <summary>Returns whether a connection string leads to the database that this cluster was configured for.</summary>
    /// <remarks>Costs a few nanoseconds for an instance seen before: connections of one data source share theirs.</remarks>
    public bool IsOwn(string connectionString)
    {
        foreach (var known in _ownConnectionStrings)
        {
            if (ReferenceEquals(known, connectionString))
            {
                return true;
            }
        }

        var isOwn = Database.Of(connectionString) == _ownDatabase;
        if (isOwn && _ownConnectionStrings.Length < MaxOwnConnectionStrings)
        {
            _ownConnectionStrings = [.. _ownConnectionStrings, connectionString];
        }

        return isOwn;
    }

    /// <summary>Gets what of the context's connection decides what a query returns, without secrets.</summary>
    public string Scope => _ownDatabase.Scope;

    /// <summary>Gets how many connections the context's own pool has at most; without a pool, as many as one has by default.</summary>
    public int PoolSize { get; }

    /// <summary>Keeps the monitor at work, for reads that ask for no node.</summary>
    public void Touch(Moment now) => _monitor.Touch(now);

    /// <summary>Judges one node for a read.</summary>
    public Freshness Judge(Node node, in ReadRequest request, Moment now)
    {
        var snapshot = Picture.Current;
        return _gate.Judge(snapshot.Nodes[node.Ordinal], snapshot.Primary, request, now);
    }

    /// <summary>Searches a replica for a read, from the newest snapshot.</summary>
    public ReplicaChoice Choose(in ReadRequest request, Moment now)
    {
        _monitor.Touch(now);
        return _selector.Choose(Picture.Current, request, now);
    }

    /// <summary>Searches a replica that can prove itself that it is fresh enough, after no measurement has proven it of any.</summary>
    public ReplicaChoice ChooseGuarded(in ReadRequest request, Moment now) => _selector.ChooseGuarded(Picture.Current, request, now, Picture.PositionSince);

    /// <summary>Returns the replica that runs as the given server, or -1.</summary>
    public int OrdinalOf(ulong server)
    {
        foreach (var state in Picture.Current.Nodes)
        {
            if (state.Sample is { Role: NodeRole.Replica } sample && sample.ServerStart == server)
            {
                return state.Node.Ordinal;
            }
        }

        return -1;
    }

    /// <inheritdoc />
    public ServerPosition? RememberedSince(Moment moment) => Picture.PositionSince(moment);

    /// <inheritdoc />
    public ServerPosition? PositionSince(Moment moment)
    {
        _monitor.Touch(Moment.Now(Clock));
        return Picture.PositionSince(moment) ?? _positions.Ask();
    }

    /// <inheritdoc />
    public async ValueTask<ServerPosition?> PositionSinceAsync(Moment moment, CancellationToken cancellationToken)
    {
        _monitor.Touch(Moment.Now(Clock));
        return Picture.PositionSince(moment) ?? await _positions.AskAsync(moment, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Leaves a node alone for a while, because a read failed through its fault.</summary>
    /// <param name="node">The node.</param>
    /// <param name="error">What happened, without secrets.</param>
    public void Ban(Node node, string error)
    {
        var ban = Picture.Ban(node);
        ReplicationMeter.CountBan(node.Name);
        Logger.NodeBanned(node.Name, ban.Failures, error);
    }

    /// <summary>Lets a node take its share again, because a read succeeded on it.</summary>
    public void Pardon(Node node)
    {
        Picture.Pardon(node);
        Logger.NodePardoned(node.Name);
    }

    /// <summary>Says for each node why it may not serve a read.</summary>
    public IReadOnlyDictionary<string, string> Explain(ReadRequest request, Moment now)
    {
        var snapshot = Picture.Current;
        return snapshot.Nodes.ToFrozenDictionary(s => s.Node.Name, s => ExplainNode(s, snapshot, request, now));
    }

    private static int PoolSizeOf(string connectionString)
    {
        var parsed = new NpgsqlConnectionStringBuilder(connectionString);
        return parsed.Pooling ? parsed.MaxPoolSize : new NpgsqlConnectionStringBuilder().MaxPoolSize;
    }

    private string ExplainNode(NodeState state, ClusterSnapshot snapshot, in ReadRequest request, Moment now)
    {
        var freshness = _gate.Judge(state, snapshot.Primary, request, now);
        return freshness switch
        {
            Freshness.Unreachable => $"{freshness}: {state.ProbeError}",
            Freshness.NotAReplica when state.Node == snapshot.Primary?.Node => "Primary",
            Freshness.TooStale when state.VisibleThrough != Moment.Never =>
                FormattableString.Invariant($"{freshness}: data up to {state.VisibleThrough.Until(now, Clock).TotalSeconds:0.000} s old"),
            _ => freshness.ToString(),
        };
    }

    // What makes two connection strings lead to the same data, whatever their other settings.
    private sealed record Database(string Endpoints, string? Name, string? User, string? SearchPath, string? Options, string? TimeZone)
    {
        public string Scope => string.Join('\n', User, SearchPath, Options, TimeZone);

        public static Database Of(string connectionString)
        {
            var parsed = new NpgsqlConnectionStringBuilder(connectionString);
            return new Database(string.Join(',', NodeEndpoint.Parse(parsed)), parsed.Database, parsed.Username, parsed.SearchPath, parsed.Options, parsed.Timezone);
        }
    }
}
