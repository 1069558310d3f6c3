using EfScaling.History;
using EfScaling.Testing.History;

namespace EfScaling.IntegrationTests.Testing;

/// <summary>Sessions write and read while servers fail; eng/history.sh does the same for longer.</summary>
public sealed class HistoryTests
{
    [Fact]
    public async Task Sessions_keep_their_guarantees_while_servers_fail()
    {
        var report = await Scenario.RunAsync(new HistoryRunOptions());

        Assert.True(!report.Breaches.Any(), report.ToString());
        Assert.True(report.Reads >= 1_000, report.ToString());
    }

    [Fact]
    public async Task Sessions_keep_their_guarantees_when_a_standby_becomes_the_primary()
    {
        var report = await Scenario.RunAsync(new HistoryRunOptions { Promotes = true, Duration = TimeSpan.FromSeconds(15), Faults = [FaultKind.DelayReplay] });

        Assert.True(!report.Breaches.Any(), report.ToString());
        var promotion = report.Events.Single(e => e.How.StartsWith("promotion", StringComparison.Ordinal));
        Assert.True(
            report.Events.Any(e => e is { Operation: HistoryOperation.Write, Outcome: HistoryOutcome.Acknowledged } && e.Started > promotion.Ended), report.ToString());
    }

    [Fact]
    public async Task A_cache_in_two_processes_shows_every_write_while_Redis_and_servers_fail()
    {
        var options = new HistoryRunOptions { Clients = 8, Faults = CacheScenario.DatabaseFaults, WritePause = CacheScenario.WritePause };

        var report = await CacheScenario.RunAsync(options, CacheScenario.SingleFaults);

        Assert.True(!report.Breaches.Any(), report.ToString());
        Assert.True(report.Hits >= 500, report.ToString());
        Assert.True(report.Events.DistinctBy(e => e.Cache).Count(e => e.Cache > 0) == 3, report.ToString());
    }
}
