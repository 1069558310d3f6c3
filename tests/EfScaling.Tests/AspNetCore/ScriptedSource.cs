using EfScaling.Consistency;
using EfScaling.Topology;

namespace EfScaling.Tests.AspNetCore;

/// <summary>Plays a cluster whose primary answers, fails or hangs as the test says.</summary>
internal sealed class ScriptedSource(Func<CancellationToken, Task<ServerPosition?>> answer) : IPositionSource
{
    public static readonly ServerIdentity Cluster = new(SystemId: 7, Timeline: 1);

    public ManualClock ManualClock { get; init; } = new();

    public string Shard { get; init; } = string.Empty;

    public string Servers => "server";

    public TimeProvider Clock => ManualClock;

    public ServerIdentity? Identity { get; set; } = Cluster;

    public WalGeometry Geometry => default;

    /// <summary>Lets the ambient session write something whose position nobody knows.</summary>
    public void Write() => ConsistencySession.Current!.On(this).Wrote(ManualClock.Advance(1.Seconds()));

    public ServerPosition? RememberedSince(Moment moment) => null;

    public ServerPosition? PositionSince(Moment moment) => throw new NotSupportedException();

    public async ValueTask<ServerPosition?> PositionSinceAsync(Moment moment, CancellationToken cancellationToken) => await answer(cancellationToken);
}
