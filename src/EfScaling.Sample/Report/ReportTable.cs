using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace EfScaling.Sample.Report;

/// <summary>Shows a report as tables.</summary>
internal static class ReportTable
{
    /// <summary>Returns the tables, ready to print.</summary>
    public static IRenderable Of(RunReport report) =>
        new Rows(Routes(report), Staleness(report), Cache(report), Loads(report), Checks(report.Checks, report.Problems), new Text(Footnote(report.Setup)));

    /// <summary>Returns the table of checks and problems.</summary>
    public static Table Checks(IEnumerable<Check> checks, IEnumerable<string> problems)
    {
        var table = Titled("Checks").AddColumns("", "check", "evidence");
        foreach (var check in checks)
        {
            table.AddRow(new Markup(check.Holds ? "[green]holds[/]" : "[red]FAILED[/]"), new Text(check.Name), new Text(check.Evidence));
        }

        foreach (var problem in problems)
        {
            table.AddRow(new Text(""), new Text("problem"), new Text(problem));
        }

        return table;
    }

    /// <summary>Returns an empty table.</summary>
    public static Table Titled(string title) => new Table().Border(TableBorder.Rounded).Title($"[bold]{title}[/]");

    /// <summary>Returns columns of numbers.</summary>
    public static TableColumn[] Columns(params ReadOnlySpan<string> names)
    {
        var columns = new TableColumn[names.Length];
        for (var i = 0; i < columns.Length; i++)
        {
            columns[i] = Right(names[i]);
        }

        return columns;
    }

    /// <summary>Returns a time as it is shown.</summary>
    public static string Milliseconds(double? value) => value?.ToString("0.00", CultureInfo.InvariantCulture) ?? "-";

    private static Table Routes(RunReport report)
    {
        var table = Titled("Where commands ran, and why, with replicas and the cache").AddColumns("node", "role", "kind", "reason").AddColumn(Right("commands")).AddColumn(Right("share"));
        foreach (var route in report.Routes)
        {
            table.AddRow(route.Node, route.Role, route.Kind, route.Reason, Number(route.Commands), route.Share.ToString("P1", CultureInfo.InvariantCulture));
        }

        return table;
    }

    private static Table Staleness(RunReport report)
    {
        var table = Titled("How old the data of reads on replicas was (ms)").AddColumn("").AddColumn(Right("reads")).AddColumn(Right("p50")).AddColumn(Right("p99")).AddColumn(Right("max"));
        Add("bound that the router reported", report.ReportedStaleness);
        Add("age that the heartbeat showed", report.ObservedAge);
        return table;

        void Add(string name, StalenessSummary ages) =>
            table.AddRow(name, Number(ages.Reads), Milliseconds(ages.P50Milliseconds), Milliseconds(ages.P99Milliseconds), Milliseconds(ages.MaxMilliseconds));
    }

    private static Table Cache(RunReport report)
    {
        var table = Titled("What the cache did, and the same operation with replicas and without the cache")
            .AddColumn("")
            .AddColumns(Columns("hits", "misses", "other", "hit rate", "p50 ms", "p99 ms", "without: p50 ms", "p99 ms", "violations"));
        foreach (var cache in report.Cache)
        {
            table.AddRow(
                cache.Operation,
                Number(cache.Hits), Number(cache.Misses), Number(cache.Others), cache.HitRate.ToString("P1", CultureInfo.InvariantCulture),
                Milliseconds(cache.Latency.P50Milliseconds), Milliseconds(cache.Latency.P99Milliseconds),
                Milliseconds(cache.LatencyWithout.P50Milliseconds), Milliseconds(cache.LatencyWithout.P99Milliseconds),
                Number(cache.Violations));
        }

        return table.Caption(string.Join("; ", report.Cache.Select(c => $"{c.Operation}: {string.Join(", ", c.Outcomes.Select(o => $"{o.Key} {Number(o.Value)}"))}")));
    }

    private static Table Loads(RunReport report)
    {
        var table = Titled("The same load with replicas and the cache, with replicas, and on the primary alone (plain EF Core)").AddColumn("")
            .AddColumns(Columns("cache", "p50 ms", "p99 ms", "replicas", "p50 ms", "p99 ms", "primary", "p50 ms", "p99 ms"));
        LoadSummary[] loads = [report.WithCache, report.WithReplicas, report.PrimaryAlone];
        for (var i = 0; i < report.WithCache.Latency.Count; i++)
        {
            var cells = loads.Select(l => l.Latency[i]).SelectMany(l => new[] { Number(l.Count), Milliseconds(l.P50Milliseconds), Milliseconds(l.P99Milliseconds) });
            table.AddRow([report.WithCache.Latency[i].Operation, .. cells]);
        }

        table.AddRow(["seconds", .. loads.SelectMany(l => new[] { Seconds(l.Seconds), "", "" })]);
        table.AddRow(["commands per second", .. loads.SelectMany(l => new[] { Number(l.CommandsPerSecond), "", "" })]);
        table.AddRow("throughput, ratio", Ratio(report.ThroughputRatioWithCache), "", "", Ratio(report.ThroughputRatio), "", "", "1", "", "");
        return table;
    }

    private static string Footnote(RunSetup setup) =>
        string.Create(CultureInfo.InvariantCulture, $"{setup.Workers} visitors in each load; {setup.Users:N0} users, {setup.Follows:N0} follows, {setup.Posts:N0} posts at the start. ")
        + (setup.IsEmbedded
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"The standby {setup.Replicas[^1]} was told to show each commit {setup.LagMilliseconds:0} ms later. The servers and this program share {setup.Processors} processors, so the ratios show what the cache saves and routing costs, not what machines of their own would add.")
            : "The database servers are those that the environment names.")
        + $" The cache is in {setup.Redis}.";

    private static TableColumn Right(string name) => new TableColumn(name).RightAligned();

    private static string Number(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Ratio(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);

    private static string Seconds(double value) => value.ToString("0.0", CultureInfo.InvariantCulture);
}
