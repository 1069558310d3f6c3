using System.Globalization;
using System.Text.Json;
using EfScaling.Sample.Load;
using EfScaling.Topology;

namespace EfScaling.Sample.Report;

/// <summary>Every number of a run, all of them measured, and the checks that decide the exit status.</summary>
internal sealed record RunReport
{
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>Gets what the run was set up with.</summary>
    public required RunSetup Setup { get; init; }

    /// <summary>Gets where commands ran and why.</summary>
    public required IReadOnlyList<RouteSummary> Routes { get; init; }

    /// <summary>Gets the bounds that the router reported for reads on replicas.</summary>
    public required StalenessSummary ReportedStaleness { get; init; }

    /// <summary>Gets how old the data of the heartbeat reads on replicas really was.</summary>
    public required StalenessSummary ObservedAge { get; init; }

    /// <summary>Gets the load with replicas.</summary>
    public required LoadSummary WithReplicas { get; init; }

    /// <summary>Gets the same load by plain EF Core on the primary alone.</summary>
    public required LoadSummary PrimaryAlone { get; init; }

    /// <summary>Gets the throughput with replicas relative to the primary alone.</summary>
    public double ThroughputRatio => PrimaryAlone.CommandsPerSecond > 0 ? WithReplicas.CommandsPerSecond / PrimaryAlone.CommandsPerSecond : 0;

    /// <summary>Gets how many reads-your-own-write the primary answered.</summary>
    public required long ReadBacksOnPrimary { get; init; }

    /// <summary>Gets how many reads-your-own-write replicas answered.</summary>
    public required long ReadBacksOnReplicas { get; init; }

    /// <summary>Gets how many of them did not show the write.</summary>
    public required long ReadYourWritesViolations { get; init; }

    /// <summary>Gets how many heartbeat reads the primary answered; each must show everything.</summary>
    public required long HeartbeatReadsOnPrimary { get; init; }

    /// <summary>Gets how many heartbeat reads replicas answered; each was held against its own bound.</summary>
    public required long HeartbeatReadsOnReplicas { get; init; }

    /// <summary>Gets how many of them were older than the bound.</summary>
    public required long StalenessViolations { get; init; }

    /// <summary>Gets how many of them were answered by a server of another role than reported.</summary>
    public required long RoleMismatches { get; init; }

    /// <summary>Gets how many operations failed or returned a wrong result, in both loads.</summary>
    public required long Failures { get; init; }

    /// <summary>Gets the first problems in words.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>Gets the checks.</summary>
    public required IReadOnlyList<Check> Checks { get; init; }

    /// <summary>Gets whether all checks hold.</summary>
    public bool AllChecksHold => Checks.All(c => c.Holds);

    /// <summary>Sums up the two loads.</summary>
    /// <param name="setup">What the run was set up with.</param>
    /// <param name="routed">The load with replicas.</param>
    /// <param name="checker">What watched it, warm-up included.</param>
    /// <param name="plain">The load on the primary alone.</param>
    /// <param name="plainChecker">What watched that.</param>
    public static RunReport Of(RunSetup setup, Measurements routed, ConsistencyChecker checker, Measurements plain, ConsistencyChecker plainChecker)
    {
        var routes = RoutesOf(routed);
        return new RunReport
        {
            Setup = setup,
            Routes = routes,
            ReportedStaleness = StalenessSummary.Of(routed.ReportedStaleness),
            ObservedAge = StalenessSummary.Of(routed.ObservedAge),
            WithReplicas = LoadSummary.Of(routed),
            PrimaryAlone = LoadSummary.Of(plain),
            ReadBacksOnPrimary = checker.ReadBacksOnPrimary,
            ReadBacksOnReplicas = checker.ReadBacksOnReplicas,
            ReadYourWritesViolations = checker.ReadYourWritesViolations,
            HeartbeatReadsOnPrimary = checker.HeartbeatReadsOnPrimary,
            HeartbeatReadsOnReplicas = checker.HeartbeatReadsOnReplicas,
            StalenessViolations = checker.StalenessViolations,
            RoleMismatches = checker.RoleMismatches,
            Failures = checker.Failures + plainChecker.Failures,
            Problems = [.. checker.Problems, .. plainChecker.Problems],
            Checks = Judge(setup, routes, checker, plainChecker),
        };
    }

    /// <summary>Writes the report as JSON.</summary>
    public async Task WriteAsync(string file, CancellationToken cancellationToken)
    {
        await using var stream = File.Create(file);
        await JsonSerializer.SerializeAsync(stream, this, Readable, cancellationToken);
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
    private static Check[] Judge(RunSetup setup, IReadOnlyList<RouteSummary> routes, ConsistencyChecker checker, ConsistencyChecker plainChecker)
    {
        var readsByReplica = setup.Replicas.ToDictionary(
            r => r, r => routes.Where(c => c.Node == r && c.Role == nameof(NodeRole.Replica) && c.Kind == "read").Sum(c => c.Commands));
        var writesElsewhere = checker.MisplacedWrites + routes.Where(c => c.Kind == "write" && c.Node != setup.Primary).Sum(c => c.Commands);
        var failures = checker.Failures + plainChecker.Failures;
        return
        [
            new(
                "a context reads its own writes",
                checker.ReadYourWritesViolations + plainChecker.ReadYourWritesViolations == 0 && checker.ReadBacksOnPrimary > 0 && checker.ReadBacksOnReplicas > 0,
                Text($"{checker.ReadYourWritesViolations:N0} violations in {checker.ReadBacksOnPrimary:N0} read-backs on the primary and {checker.ReadBacksOnReplicas:N0} on replicas")),
            new(
                "no read is older than its reported bound",
                checker.StalenessViolations == 0 && checker.HeartbeatReadsOnReplicas > 0,
                Text($"{checker.StalenessViolations:N0} violations in {checker.HeartbeatReadsOnReplicas:N0} heartbeat reads on replicas and {checker.HeartbeatReadsOnPrimary:N0} on the primary")),
            new(
                "servers confirm the reported role",
                checker.RoleMismatches == 0 && checker.HeartbeatReadsOnReplicas > 0,
                Text($"{checker.RoleMismatches:N0} mismatches in {checker.HeartbeatReadsOnReplicas + checker.HeartbeatReadsOnPrimary:N0} answers of the servers")),
            new(
                "reads reached every replica",
                readsByReplica.Count > 0 && readsByReplica.Values.All(c => c > 0),
                string.Join(", ", readsByReplica.Select(r => Text($"{r.Key} {r.Value:N0}")))),
            new(
                "writes ran only on the primary",
                writesElsewhere == 0 && checker.Writes > 0,
                Text($"{writesElsewhere:N0} of {checker.Writes:N0} writes elsewhere")),
            new("no operation failed", failures == 0, Text($"{failures:N0} failures or wrong results")),
        ];
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
