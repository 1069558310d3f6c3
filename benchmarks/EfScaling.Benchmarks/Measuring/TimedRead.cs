using System.Diagnostics;
using EfScaling.Routing;
using EfScaling.Topology;

namespace EfScaling.Benchmarks.Measuring;

/// <summary>One read under load.</summary>
/// <param name="StartedAt">Timestamp before its context was created.</param>
/// <param name="EndedAt">Timestamp when its context was disposed.</param>
/// <param name="Value">What it read.</param>
/// <param name="Routing">Where it ran.</param>
/// <param name="Failure">Why it failed; <see langword="null"/> if it did not.</param>
internal readonly record struct TimedRead(long StartedAt, long EndedAt, long Value, RoutingDecision? Routing, string? Failure)
{
    /// <summary>Gets how long it took.</summary>
    public double Milliseconds => Stopwatch.GetElapsedTime(StartedAt, EndedAt).TotalMilliseconds;

    /// <summary>Gets whether a node failed it and it went on to another.</summary>
    public bool MovedOn => Routing is { Attempts: > 1 };

    /// <summary>Gets whether it ran on the primary.</summary>
    public bool IsOnPrimary => Routing is { Role: NodeRole.Primary };
}
