using System.Globalization;
using EfScaling.Sample.Report;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace EfScaling.Sample.Sharded;

/// <summary>Shows a report over shards as tables.</summary>
internal static class ShardedReportTable
{
    /// <summary>Returns the tables, ready to print.</summary>
    public static IRenderable Of(ShardedReport report) => new Rows(
        [Shards(report), Latency(report), ReportTable.Checks(report.Checks, report.Problems), .. report.Plans.Select(p => new Text($"{p.Query} (ToRoutingString):\n{p.Plan}\n"))]);

    private static Table Shards(ShardedReport report)
    {
        var table = ReportTable.Titled("What each shard holds and did").AddColumn("shard")
            .AddColumns(ReportTable.Columns("users", "follows", "posts", "likes", "likes of users", "rows", "misplaced", "reads", "on the replica", "writes"));
        foreach (var s in report.Shards)
        {
            table.AddRow([s.Shard, .. Numbers(s.Users, s.Follows, s.Posts, s.Likes, s.GivenLikes, s.Rows, s.Misplaced, s.Reads, s.ReplicaReads, s.Writes)]);
        }

        table.AddRow("skew (max / mean)", "", "", "", "", "", Ratio(report.RowSkew), "", Ratio(report.ReadSkew), "", Ratio(report.WriteSkew));
        return table.Caption(string.Create(CultureInfo.InvariantCulture, $"{report.CommandsPerSecond:N0} commands a second for {report.Seconds:0} s; {report.Refusals:N0} refusals"));
    }

    private static Table Latency(ShardedReport report)
    {
        var table = ReportTable.Titled("How long it took").AddColumn("").AddColumns(ReportTable.Columns("count", "p50 ms", "p99 ms"));
        foreach (var l in report.Latency)
        {
            table.AddRow([l.Operation, .. Numbers(l.Count), ReportTable.Milliseconds(l.P50Milliseconds), ReportTable.Milliseconds(l.P99Milliseconds)]);
        }

        return table.Caption("Followers, Feed, Search and Statistics ask all shards; UserPage and OwnPosts one, or the cache.");
    }

    private static IEnumerable<string> Numbers(params long[] values) => values.Select(v => v.ToString("N0", CultureInfo.InvariantCulture));

    private static string Ratio(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
}
