using System.Globalization;
using EfScaling.Sample.Load;
using EfScaling.Topology;

namespace EfScaling.Sample.Report;

/// <summary>Every number of a run, all of them measured, and the checks that decide the exit status.</summary>
internal sealed record RunReport
{
    /// <summary>Gets what the run was set up with.</summary>
    public required RunSetup Setup { get; init; }

    /// <summary>Gets where commands of the load with replicas and the cache ran, and why.</summary>
    public required IReadOnlyList<RouteSummary> Routes { get; init; }

    /// <summary>Gets what the cache did for each operation that asks for it.</summary>
    public required IReadOnlyList<CacheSummary> Cache { get; init; }

    /// <summary>Gets the bounds that the router reported for reads on replicas.</summary>
    public required StalenessSummary ReportedStaleness { get; init; }

    /// <summary>Gets how old the data of the heartbeat reads on replicas really was.</summary>
    public required StalenessSummary ObservedAge { get; init; }

    /// <summary>Gets the load with replicas and the cache.</summary>
    public required LoadSummary WithCache { get; init; }

    /// <summary>Gets the same load with replicas alone.</summary>
    public required LoadSummary WithReplicas { get; init; }

    /// <summary>Gets the same load by plain EF Core on the primary alone.</summary>
    public required LoadSummary PrimaryAlone { get; init; }

    /// <summary>Gets the throughput with replicas and the cache relative to the primary alone.</summary>
    public double ThroughputRatioWithCache => RatioOf(WithCache);

    /// <summary>Gets the throughput with replicas relative to the primary alone.</summary>
    public double ThroughputRatio => RatioOf(WithReplicas);

    /// <summary>Gets the first problems in words.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>Gets the checks.</summary>
    public required IReadOnlyList<Check> Checks { get; init; }

    /// <summary>Gets whether all checks hold.</summary>
    public bool AllChecksHold => Checks.All(c => c.Holds);

    /// <summary>Sums up the loads.</summary>
    /// <param name="setup">What the run was set up with.</param>
    /// <param name="cached">The load with replicas and the cache.</param>
    /// <param name="routed">The load with replicas.</param>
    /// <param name="plain">The load on the primary alone.</param>
    public static RunReport Of(RunSetup setup, WatchedLoad cached, WatchedLoad routed, WatchedLoad plain)
    {
        CacheSummary[] cache =
        [
            CacheSummary.Of(Operation.Feed, cached.Numbers, routed.Numbers, cached.Checker.OldFeeds),
            CacheSummary.Of(Operation.Profile, cached.Numbers, routed.Numbers, cached.Checker.OldProfiles),
        ];
        var routes = RoutesOf(cached.Numbers);
        return new RunReport
        {
            Setup = setup,
            Routes = routes,
            Cache = cache,
            ReportedStaleness = StalenessSummary.Of(cached.Numbers.ReportedStaleness),
            ObservedAge = StalenessSummary.Of(cached.Numbers.ObservedAge),
            WithCache = LoadSummary.Of(cached.Numbers),
            WithReplicas = LoadSummary.Of(routed.Numbers),
            PrimaryAlone = LoadSummary.Of(plain.Numbers),
            Problems = [.. cached.Checker.Problems, .. routed.Checker.Problems, .. plain.Checker.Problems],
            Checks = Judge(setup, [.. routes, .. RoutesOf(routed.Numbers)], cache, [cached.Checker, routed.Checker, plain.Checker]),
        };
    }

    private static RouteSummary[] RoutesOf(Measurements load)
    {
        var counts = load.Routes.ToArray();
        var totals = counts.ToLookup(c => c.Key.IsWrite, c => c.Value);
        return
        [
            .. counts
                .OrderBy(c => c.Key.IsWrite).ThenByDescending(c => c.Key.Role).ThenBy(c => c.Key.Node, StringComparer.Ordinal).ThenByDescending(c => c.Value)
                .Select(c => new RouteSummary(
                    c.Key.Node, c.Key.Role.ToString(), c.Key.IsWrite ? "write" : "read", c.Key.Reason.ToString(), c.Value, (double)c.Value / totals[c.Key.IsWrite].Sum())),
        ];
    }

    // A check that had nothing to check does not hold: 0 violations in 0 reads prove nothing.
    private static Check[] Judge(RunSetup setup, IReadOnlyList<RouteSummary> routes, IReadOnlyList<CacheSummary> cache, ConsistencyChecker[] checkers)
    {
        var (lost, onPrimary, onReplicas, inCache) =
            (Sum(c => c.ReadYourWritesViolations), Sum(c => c.ReadBacksOnPrimary), Sum(c => c.ReadBacksOnReplicas), Sum(c => c.ReadBacksInCache));
        var (old, beatsOnPrimary, beatsOnReplicas) = (Sum(c => c.StalenessViolations), Sum(c => c.HeartbeatReadsOnPrimary), Sum(c => c.HeartbeatReadsOnReplicas));
        var (oldPages, pagesOfCache, pagesOfServers) = (Sum(c => c.OldFeeds + c.OldProfiles), Sum(c => c.PagesOfCache), Sum(c => c.PagesOfServers));
        var readsByReplica = setup.Replicas.ToDictionary(
            r => r, r => routes.Where(c => c.Node == r && c.Role == nameof(NodeRole.Replica) && c.Kind == "read").Sum(c => c.Commands));
        var writesElsewhere = Sum(c => c.MisplacedWrites) + routes.Where(c => c.Kind == "write" && c.Node != setup.Primary).Sum(c => c.Commands);
        var (writes, mismatches, failures) = (Sum(c => c.Writes), Sum(c => c.RoleMismatches), Sum(c => c.Failures));
        return
        [
            new(
                "a context reads its own writes",
                lost == 0 && onPrimary > 0 && onReplicas > 0,
                Text($"{lost:N0} violations in {onPrimary:N0} read-backs on the primary, {onReplicas:N0} on replicas and {inCache:N0} in the cache")),
            new(
                "no page is older than it may be, from the cache not at all",
                oldPages == 0 && pagesOfCache > 0 && pagesOfServers > 0,
                Text($"{oldPages:N0} violations in {pagesOfCache:N0} pages of the cache and {pagesOfServers:N0} of servers")),
            new(
                "the cache answers",
                cache.All(c => c.Hits > 0),
                string.Join(", ", cache.Select(c => Text($"{c.Operation} {c.Hits:N0} hits and {c.Misses:N0} misses")))),
            new(
                "no read is older than its reported bound",
                old == 0 && beatsOnReplicas > 0,
                Text($"{old:N0} violations in {beatsOnReplicas:N0} heartbeat reads on replicas and {beatsOnPrimary:N0} on the primary")),
            new(
                "servers confirm the reported role",
                mismatches == 0 && beatsOnReplicas > 0,
                Text($"{mismatches:N0} mismatches in {beatsOnReplicas + beatsOnPrimary:N0} answers of the servers")),
            new(
                "reads reached every replica",
                readsByReplica.Count > 0 && readsByReplica.Values.All(c => c > 0),
                string.Join(", ", readsByReplica.Select(r => Text($"{r.Key} {r.Value:N0}")))),
            new(
                "writes ran only on the primary",
                writesElsewhere == 0 && writes > 0,
                Text($"{writesElsewhere:N0} of {writes:N0} writes elsewhere")),
            new("no operation failed", failures == 0, Text($"{failures:N0} failures or wrong results")),
        ];

        long Sum(Func<ConsistencyChecker, long> count) => checkers.Sum(count);
    }

    private double RatioOf(LoadSummary load) => PrimaryAlone.CommandsPerSecond > 0 ? load.CommandsPerSecond / PrimaryAlone.CommandsPerSecond : 0;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
