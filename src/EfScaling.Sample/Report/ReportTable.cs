using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace EfScaling.Sample.Report;

/// <summary>Shows a report as tables.</summary>
internal static class ReportTable
{
    /// <summary>Returns the tables, ready to print.</summary>
    public static IRenderable Of(RunReport report) =>
        new Rows(Routes(report), Staleness(report), Loads(report), Checks(report), new Text(Footnote(report.Setup)));

    private static Table Routes(RunReport report)
    {
        var table = Titled("Where commands ran, and why").AddColumns("node", "role", "kind", "reason").AddColumn(Right("commands")).AddColumn(Right("share"));
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

    private static Table Loads(RunReport report)
    {
        var (routed, plain) = (report.WithReplicas, report.PrimaryAlone);
        var table = Titled("The same load with replicas and on the primary alone (plain EF Core)")
            .AddColumn("").AddColumn(Right("with replicas")).AddColumn(Right("p50 ms")).AddColumn(Right("p99 ms"))
            .AddColumn(Right("primary alone")).AddColumn(Right("p50 ms")).AddColumn(Right("p99 ms"));
        foreach (var (with, alone) in routed.Latency.Zip(plain.Latency))
        {
            table.AddRow(
                with.Operation,
                Number(with.Count), Milliseconds(with.P50Milliseconds), Milliseconds(with.P99Milliseconds),
                Number(alone.Count), Milliseconds(alone.P50Milliseconds), Milliseconds(alone.P99Milliseconds));
        }

        table.AddRow("seconds", Seconds(routed.Seconds), "", "", Seconds(plain.Seconds), "", "");
        table.AddRow("commands per second", Number(routed.CommandsPerSecond), "", "", Number(plain.CommandsPerSecond), "", "");
        table.AddRow("throughput, ratio", report.ThroughputRatio.ToString("0.00", CultureInfo.InvariantCulture), "", "", "1", "", "");
        return table;
    }

    private static Table Checks(RunReport report)
    {
        var table = Titled("Checks").AddColumns("", "check", "evidence");
        foreach (var check in report.Checks)
        {
            table.AddRow(new Markup(check.Holds ? "[green]holds[/]" : "[red]FAILED[/]"), new Text(check.Name), new Text(check.Evidence));
        }

        foreach (var problem in report.Problems)
        {
            table.AddRow(new Text(""), new Text("problem"), new Text(problem));
        }

        return table;
    }

    private static string Footnote(RunSetup setup) =>
        string.Create(CultureInfo.InvariantCulture, $"{setup.Workers} visitors in both loads; {setup.Users:N0} users, {setup.Follows:N0} follows, {setup.Posts:N0} posts at the start. ")
        + (setup.IsEmbedded
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"The standby {setup.Replicas[^1]} was told to show each commit {setup.LagMilliseconds:0} ms later. The servers and this program share {setup.Processors} processors, so the ratio shows what routing costs, not what machines of their own would add.")
            : "The servers are those that the environment names.");

    private static Table Titled(string title) => new Table().Border(TableBorder.Rounded).Title($"[bold]{title}[/]");

    private static TableColumn Right(string name) => new TableColumn(name).RightAligned();

    private static string Number(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Seconds(double value) => value.ToString("0.0", CultureInfo.InvariantCulture);

    private static string Milliseconds(double? value) => value?.ToString("0.00", CultureInfo.InvariantCulture) ?? "-";
}
