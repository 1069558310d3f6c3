using System.Collections.Immutable;
using EfScaling.Consistency;

namespace EfScaling.Replication;

/// <summary>The settings of <c>UseReadReplicas</c>. Immutable; equal settings over equal servers share one monitor.</summary>
internal sealed record ReplicaOptions
{
    /// <summary>A fallback budget without a limit.</summary>
    public const int UnlimitedFallback = int.MaxValue;

    /// <summary>Settings of a context that does without replicas, and uses its cluster to know the database by.</summary>
    public static readonly ReplicaOptions PrimaryAlone = new() { IsPrimaryAlone = true, TrackedReads = TrackedReads.Primary };

    /// <summary>Gets whether there are no replicas, and every command runs on the context's own connection.</summary>
    public bool IsPrimaryAlone { get; private init; }

    /// <summary>Gets the replicas; empty when the hosts of the context's own connection string are the nodes.</summary>
    public ImmutableArray<ReplicaDefinition> Replicas { get; init; } = [];

    /// <summary>Gets how old the data of a read may be unless the query or a scope says otherwise.</summary>
    public TimeSpan MaxStaleness { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets the region whose replicas are asked first; <see langword="null"/> for no preference.</summary>
    public string? PreferredRegion { get; init; }

    /// <summary>Gets how one of several suitable replicas is picked.</summary>
    public LoadBalancing Balancing { get; init; } = LoadBalancing.LeastLoaded;

    /// <summary>Gets where queries with tracking run.</summary>
    public TrackedReads TrackedReads { get; init; } = TrackedReads.ReplicaWhenProtected;

    /// <summary>Gets the time between two probes of a node.</summary>
    public TimeSpan ProbeInterval { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Gets how long a probe may take before the node counts as unreachable.</summary>
    public TimeSpan ProbeTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Gets how long opening a connection to a replica, or waiting for a free one, may take; whole seconds.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Gets how long one replica may take to answer before the read moves on; <see langword="null"/> for the command timeout.</summary>
    public TimeSpan? ReadTimeout { get; init; }

    /// <summary>Gets the largest number of connections to each replica named by a connection string that does not set its own.</summary>
    public int MaxConnections { get; init; } = 50;

    /// <summary>Gets how many reads a second may be diverted to the primary because no replica can serve them.</summary>
    public int FallbackReadsPerSecond { get; init; } = 1_000;

    /// <summary>Gets the time in which a node that has come (back) grows to its full share of the reads.</summary>
    public TimeSpan RampUp { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets what a read asks for unless the query or a scope says otherwise.</summary>
    public ReadContract Contract { get; init; } = ReadContract.Session;

    /// <summary>Gets how long a read waits for a replica to catch up with its session before it goes to the primary.</summary>
    public TimeSpan CatchUpWait { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Gets the name by which consistency tokens speak of the cluster; <see langword="null"/> for that of the shard, or none.</summary>
    public string? ClusterName { get; init; }

    /// <inheritdoc />
    public bool Equals(ReplicaOptions? other) =>
        ReferenceEquals(this, other)
        || (other is not null
            && MaxStaleness == other.MaxStaleness
            && PreferredRegion == other.PreferredRegion
            && Balancing == other.Balancing
            && TrackedReads == other.TrackedReads
            && ProbeInterval == other.ProbeInterval
            && ProbeTimeout == other.ProbeTimeout
            && ConnectTimeout == other.ConnectTimeout
            && ReadTimeout == other.ReadTimeout
            && MaxConnections == other.MaxConnections
            && FallbackReadsPerSecond == other.FallbackReadsPerSecond
            && RampUp == other.RampUp
            && Contract == other.Contract
            && CatchUpWait == other.CatchUpWait
            && ClusterName == other.ClusterName
            && IsPrimaryAlone == other.IsPrimaryAlone
            && Replicas.AsSpan().SequenceEqual(other.Replicas.AsSpan()));

    /// <inheritdoc />
    public override int GetHashCode() => HashCode.Combine(Replicas.Length, MaxStaleness, PreferredRegion, MaxConnections);
}
