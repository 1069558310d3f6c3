using System.Globalization;
using EfScaling.Sample;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Graph;
using EfScaling.Sample.Load;
using EfScaling.Sample.Report;
using EfScaling.Sample.Servers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Spectre.Console;

SampleOptions options;
try
{
    options = SampleOptions.Parse(args);
}
catch (SampleException exception)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return ExitStatus.BadArguments;
}

if (options.Help)
{
    Console.WriteLine(SampleOptions.Usage);
    return ExitStatus.AllChecksHold;
}

using var stop = new StopSignal();
try
{
    return await RunAsync(options, stop.Token);
}
catch (OperationCanceledException) when (stop.Token.IsCancellationRequested)
{
    await Console.Error.WriteLineAsync("Stopped before the report was complete.");
    return ExitStatus.Interrupted;
}
catch (Exception exception) when (exception is SampleException or InvalidDataException or TimeoutException or IOException or NpgsqlException or DbUpdateException)
{
    await Console.Error.WriteLineAsync(stop.Token.IsCancellationRequested ? "Stopped before the report was complete." : exception.GetBaseException().Message);
    return stop.Token.IsCancellationRequested ? ExitStatus.Interrupted : ExitStatus.Failed;
}

static async Task<int> RunAsync(SampleOptions options, CancellationToken stop)
{
    var clock = TimeProvider.System;
    var console = AnsiConsole.Console;
    if (Console.IsOutputRedirected)
    {
        // Neither the width of a terminal nor its colors exist in a file.
        console.Profile.Width = 140;
        console.Profile.Capabilities.Ansi = false;
        console.Profile.Capabilities.ColorSystem = ColorSystem.NoColors;
    }

    var display = new ProgressDisplay(console, clock);

    // 1. One primary and two standbys, or the servers that the environment names.
    SampleServers? started = null;
    await display.ShowAsync("Find or start the servers", async () => started = await SampleServers.StartAsync(Environment.GetEnvironmentVariable, stop));
    await using var servers = started!;

    // 2. The application's contexts: with replicas, and without to compare.
    await using var withReplicas = FeedServices.WithReplicas(servers);
    await using var primaryAlone = FeedServices.PrimaryAlone(servers);
    var contexts = withReplicas.GetRequiredService<IDbContextFactory<FeedContext>>();

    // 3. The graph by COPY, the posts by SaveChanges.
    var graph = FriendshipGraph.Unpack();
    var loader = new FeedLoader(contexts, graph);
    var (follows, posts) = (0, 0);
    await display.ShowAsync("Create the tables", () => loader.CreateTablesAsync(stop));
    await display.ShowAsync("Copy the graph", async progress => follows = await loader.CopyGraphAsync(progress, stop));
    await display.ShowAsync("Write posts", async progress => posts = await loader.WritePostsAsync(progress, stop));
    TimeSpan? lag = null;
    await display.ShowAsync("Wait for the replicas", async () =>
    {
        await servers.WaitForReplicasAsync(stop);
        lag = await servers.LagAsync(options.Lag, stop);
    });

    // 4. The same load twice. Each warms up first; its checks count from the start, its numbers do not.
    var routedLoad = new MixedLoad(contexts, graph, posts, options.Workers, isRouted: true, clock);
    var plainLoad = new MixedLoad(
        primaryAlone.GetRequiredService<IDbContextFactory<FeedContext>>(), graph, posts, options.Workers, isRouted: false, clock);
    var routed = await MeasureAsync("Load with replicas", routedLoad, options.Duration);
    var plain = await MeasureAsync("Same load, primary alone", plainLoad, options.Duration / 2);

    // 5. The table.
    var setup = new RunSetup(
        servers.IsEmbedded,
        SampleServers.NameOf(servers.Primary),
        [.. servers.Replicas.Select(SampleServers.NameOf)],
        Environment.ProcessorCount,
        graph.People,
        graph.Friendships.Count,
        follows,
        posts,
        options.Workers,
        lag?.TotalMilliseconds);
    var report = Report();
    console.Write(ReportTable.Of(report));
    await SaveAsync(report);

    // 6. Without --once the load goes on, and the table with it.
    if (!options.Once)
    {
        console.MarkupLine("[bold]The load goes on until Ctrl-C.[/]");
        try
        {
            await display.ShowTableAsync(Report, () => State(routed, routedLoad.Checker), routedLoad.RunAsync(routed, Timeout.InfiniteTimeSpan, stop));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Ctrl-C is how this part ends.
        }

        report = Report();
        await SaveAsync(report);
    }

    foreach (var check in report.Checks.Where(c => !c.Holds))
    {
        await Console.Error.WriteLineAsync($"Check failed: {check.Name} ({check.Evidence}).");
    }

    return report.AllChecksHold ? ExitStatus.AllChecksHold : ExitStatus.Failed;

    async Task<Measurements> MeasureAsync(string title, MixedLoad load, TimeSpan duration)
    {
        var warmUp = TimeSpan.FromSeconds(2);
        await display.ShowAsync($"{title}: warm-up", () => load.RunAsync(new Measurements(), warmUp, stop));
        var measurements = new Measurements();
        await display.ShowLoadAsync(title, duration, () => State(measurements, load.Checker), load.RunAsync(measurements, duration, stop));
        return measurements;
    }

    RunReport Report() => RunReport.Of(setup, routed, routedLoad.Checker, plain, plainLoad.Checker);

    // Not stopped by Ctrl-C: the numbers are there and only need writing.
    Task SaveAsync(RunReport report) => options.JsonFile is { } file ? report.WriteAsync(file, CancellationToken.None) : Task.CompletedTask;
}

static string State(Measurements load, ConsistencyChecker checker) => string.Create(
    CultureInfo.InvariantCulture,
    $"{load.Elapsed.TotalSeconds:0} s: {load.Reads.Count:N0} reads, {load.Writes.Count:N0} writes, {load.Throughput:N0} a second; "
    + $"{checker.ReadYourWritesViolations + checker.StalenessViolations:N0} violations, {checker.Failures:N0} failures");
