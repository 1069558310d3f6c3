using System.Collections.Concurrent;
using System.Diagnostics;
using EfScaling.Caching;
using EfScaling.Routing;
using EfScaling.Topology;

namespace EfScaling.Sample.Load;

/// <summary>What a load measured. Thread-safe.</summary>
internal sealed class Measurements
{
    private readonly ConcurrentDictionary<Route, long> _routes = new();
    private readonly ConcurrentDictionary<(Operation Operation, CacheOutcome Outcome), long> _outcomes = new();
    private readonly Distribution[] _latency = [.. Enum.GetValues<Operation>().Select(_ => new Distribution())];
    private readonly Stopwatch _running = new();

    /// <summary>Gets how long the load has run.</summary>
    public TimeSpan Elapsed => _running.Elapsed;

    /// <summary>Gets how many commands ran where, and why; empty for a context without replicas.</summary>
    public IReadOnlyDictionary<Route, long> Routes => _routes;

    /// <summary>Gets the latency of all reads.</summary>
    public Distribution Reads { get; } = new();

    /// <summary>Gets the latency of all writes.</summary>
    public Distribution Writes { get; } = new();

    /// <summary>Gets the bounds that the router reported for the reads on replicas.</summary>
    public Distribution ReportedStaleness { get; } = new();

    /// <summary>Gets how old the data of the heartbeat reads on replicas really was.</summary>
    public Distribution ObservedAge { get; } = new();

    /// <summary>Gets commands per second.</summary>
    public double Throughput => Elapsed > TimeSpan.Zero ? (Reads.Count + Writes.Count) / Elapsed.TotalSeconds : 0;

    /// <summary>Starts or continues the time that <see cref="Throughput"/> refers to.</summary>
    public void Start() => _running.Start();

    /// <summary>Ends it.</summary>
    public void Stop() => _running.Stop();

    /// <summary>Returns the latency of one operation.</summary>
    public Distribution LatencyOf(Operation operation) => _latency[(int)operation];

    /// <summary>Returns what the cache did for an operation, and how often; empty if it had no part in it.</summary>
    public IReadOnlyDictionary<CacheOutcome, long> OutcomesOf(Operation operation) =>
        _outcomes.Where(o => o.Key.Operation == operation).ToDictionary(o => o.Key.Outcome, o => o.Value);

    /// <summary>Counts one command.</summary>
    /// <param name="operation">What it did.</param>
    /// <param name="elapsed">How long it took.</param>
    /// <param name="decision">Where it ran; <see langword="null"/> for a context without replicas.</param>
    public void Add(Operation operation, TimeSpan elapsed, RoutingDecision? decision)
    {
        var isWrite = operation is Operation.NewPost or Operation.Like;
        LatencyOf(operation).Add(elapsed);
        (isWrite ? Writes : Reads).Add(elapsed);
        if (decision is not { } routed)
        {
            return;
        }

        _routes.AddOrUpdate(new Route(routed.Node, routed.Role, isWrite, routed.Reason), 1, (_, count) => count + 1);
        if (routed.Cache is { } cache)
        {
            _outcomes.AddOrUpdate((operation, cache.Outcome), 1, (_, count) => count + 1);
        }

        if (routed.Role == NodeRole.Replica)
        {
            ReportedStaleness.Add(routed.StalenessBound);
        }
    }
}
