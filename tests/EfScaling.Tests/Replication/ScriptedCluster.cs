using EfScaling.Consistency;
using EfScaling.Replication;
using EfScaling.Topology;
using Npgsql;

namespace EfScaling.Tests.Replication;

/// <summary>A cluster whose nodes answer what the test says. No node is ever connected to.</summary>
internal sealed class ScriptedCluster
{
    public const ulong SystemId = 7_000_000_000_000_000_000;

    private static readonly NpgsqlDataSource _nowhere = NpgsqlDataSource.Create("Host=nowhere.invalid");

    public ScriptedCluster(int nodes = 3, bool firstNodeIsReference = true, ReplicaOptions? options = null)
    {
        Options = options ?? new ReplicaOptions();
        Nodes = [.. Enumerable.Range(0, nodes).Select(o => NodeAt(o))];
        Gate = new FreshnessGate(Options, Clock);
        Picture = new ClusterPicture(Nodes, firstNodeIsReference, Options, Gate, Clock);
    }

    public ManualClock Clock { get; } = new();

    public ReplicaOptions Options { get; }

    public Node[] Nodes { get; }

    public FreshnessGate Gate { get; }

    public ClusterPicture Picture { get; }

    public static Node NodeAt(int ordinal, string? region = null, double weight = 1, int maxConnections = 4) =>
        new(new NodeEndpoint($"node{ordinal}", 5432), ordinal, _nowhere, _nowhere, new NodeTraits(region, weight, maxConnections, SessionsAreReadOnly: true));

    public NodeState AnswerAsPrimary(int ordinal, ulong position, uint timeline = 1, ulong systemId = SystemId) =>
        Answer(ordinal, NodeRole.Primary, position, timeline, systemId);

    public NodeState AnswerAsReplica(int ordinal, ulong position, uint timeline = 1, ulong systemId = SystemId) =>
        Answer(ordinal, NodeRole.Replica, position, timeline, systemId);

    public NodeState State(int ordinal) => Picture.Current.Nodes[ordinal];

    public Freshness Standing(int ordinal) => Gate.JudgeNode(State(ordinal), Picture.Current.Primary, Clock.Now);

    public Freshness Judge(int ordinal) =>
        Gate.Judge(State(ordinal), Picture.Current.Primary, new ReadRequest(Options.MaxStaleness, Moment.Never, LastNode: -1, Moment.Never, Tried: 0), Clock.Now);

    private NodeState Answer(int ordinal, NodeRole role, ulong position, uint timeline, ulong systemId) =>
        Picture.Report(Nodes[ordinal], new NodeSample(role, new ServerIdentity(systemId, timeline), new WalPosition(position), Clock.Now, Clock.Now)).After;
}
