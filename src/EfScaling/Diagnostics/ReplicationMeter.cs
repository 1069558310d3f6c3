using System.Diagnostics.Metrics;

namespace EfScaling.Diagnostics;

/// <summary>The instruments <c>efscaling.replication.*</c> of the meter <c>EfScaling</c>. Tags are node names, roles and reasons only.</summary>
internal static class ReplicationMeter
{
    private static readonly Meter _meter = new("EfScaling");

    private static readonly Counter<long> _commands = _meter.CreateCounter<long>(
        "efscaling.replication.commands", "{command}", "Commands by the node and role they ran on and the reason for it.");

    private static readonly Histogram<double> _staleness = _meter.CreateHistogram<double>(
        "efscaling.replication.read.staleness", "s", "Upper bound on the age of the data a read on a replica was given.");

    private static readonly Counter<long> _hops = _meter.CreateCounter<long>(
        "efscaling.replication.read.hops", "{hop}", "Reads that failed on a node before their first row and moved on, by node and cause.");

    private static readonly Counter<long> _refusals = _meter.CreateCounter<long>(
        "efscaling.replication.read.refusals", "{read}", "Reads that no node might serve.");

    private static readonly Counter<long> _bans = _meter.CreateCounter<long>("efscaling.replication.node.bans", "{ban}", "Bans of nodes after failed reads.");

    private static readonly Histogram<double> _probes = _meter.CreateHistogram<double>("efscaling.replication.probe.duration", "s", "Time a probe of a node took.");

    private static readonly Gauge<double> _nodeStaleness = _meter.CreateGauge<double>(
        "efscaling.replication.node.staleness", "s", "Upper bound on the age of a replica's data when it was last probed.");

    /// <summary>Gets whether anybody listens to the count of commands.</summary>
    public static bool CountsCommands => _commands.Enabled;

    /// <summary>Counts a command.</summary>
    public static void CountCommand(string node, string role, string reason) =>
        _commands.Add(1, new("node", node), new("role", role), new("reason", reason));

    /// <summary>Records the staleness bound of a read on a replica.</summary>
    public static void RecordStaleness(string node, TimeSpan bound)
    {
        if (_staleness.Enabled)
        {
            _staleness.Record(bound.TotalSeconds, new KeyValuePair<string, object?>("node", node));
        }
    }

    /// <summary>Counts a read that moved on.</summary>
    public static void CountHop(string node, string cause) => _hops.Add(1, new("node", node), new("cause", cause));

    /// <summary>Counts a read that failed because no node might serve it.</summary>
    public static void CountRefusal() => _refusals.Add(1);

    /// <summary>Counts a ban.</summary>
    public static void CountBan(string node) => _bans.Add(1, new KeyValuePair<string, object?>("node", node));

    /// <summary>Records the duration of a probe.</summary>
    public static void RecordProbe(string node, TimeSpan elapsed) => _probes.Record(elapsed.TotalSeconds, new KeyValuePair<string, object?>("node", node));

    /// <summary>Records the staleness bound of a replica.</summary>
    public static void RecordNodeStaleness(string node, TimeSpan bound) => _nodeStaleness.Record(bound.TotalSeconds, new KeyValuePair<string, object?>("node", node));
}
