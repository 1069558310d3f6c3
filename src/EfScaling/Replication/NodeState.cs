using EfScaling.Consistency;
using EfScaling.Topology;

namespace EfScaling.Replication;

/// <summary>All that is known about a node at one moment. Immutable.</summary>
internal sealed record NodeState(Node Node)
{
    /// <summary>Gets the newest measurement; <see langword="null"/> until the first probe returns.</summary>
    public NodeSample? Sample { get; init; }

    /// <summary>Gets why the last probe failed, without secrets; <see langword="null"/> when it succeeded.</summary>
    public string? ProbeError { get; init; }

    /// <summary>Gets how long the node takes to answer the monitor, without the outliers; zero until the first probe returns.</summary>
    public TimeSpan Latency { get; init; }

    /// <summary>Gets until when everything committed is visible on the node; <see cref="Moment.Never"/> when nothing proves it.</summary>
    public Moment VisibleThrough { get; init; } = Moment.Never;

    /// <summary>Gets whether the node exceeded the staleness limit and has not proved itself since.</summary>
    public bool IsRecovering { get; init; }

    /// <summary>Gets how many probes in a row found the node well within the limit while it recovers.</summary>
    public int GoodProbes { get; init; }

    /// <summary>Gets since when the node can serve, for the ramp-up of its share; <see cref="Moment.Never"/> while it cannot.</summary>
    public Moment ServingSince { get; init; } = Moment.Never;

    /// <summary>Gets the node's ban.</summary>
    public NodeBan Ban { get; init; } = NodeBan.None;
}
