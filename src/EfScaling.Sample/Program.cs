using System.Globalization;
using EfScaling.Sample;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Graph;
using EfScaling.Sample.Load;
using EfScaling.Sample.Report;
using EfScaling.Sample.Servers;
using EfScaling.Sample.Sharded;
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
catch (Exception) when (stop.Token.IsCancellationRequested)
{
    // What is cancelled in the middle does not always end in the same exception.
    await Console.Error.WriteLineAsync("Stopped before the report was complete.");
    return ExitStatus.Interrupted;
}
catch (SampleException exception)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return ExitStatus.Failed;
}
catch (Exception exception) when (exception is InvalidDataException or TimeoutException or IOException or NpgsqlException or DbUpdateException)
{
    await Console.Error.WriteLineAsync($"The sample could not go on: {exception.GetBaseException().Message}");
    return ExitStatus.Failed;
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
    if (options.Sharded)
    {
        return await ShardedRun.RunAsync(options, console, display, stop);
    }

    var warmUp = TimeSpan.FromSeconds(2);
    var turn = TimeSpan.FromSeconds(5);

    // 1. One primary, two standbys and a Redis, or the servers that the environment names.
    SampleServers? started = null;
    await display.ShowAsync("Find or start the servers", async () => started = await SampleServers.StartAsync(Environment.GetEnvironmentVariable, stop));
    await using var servers = started!;

    // 2. The application's contexts: with replicas and the cache, and with less to compare.
    await using var withCache = FeedServices.WithCache(servers);
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
    var routedLoad = Load(withReplicas, FeedSetup.Replicas);
    var plainLoad = Load(primaryAlone, FeedSetup.PrimaryAlone);
    var cachedLoad = Load(withCache, FeedSetup.ReplicasAndCache);
    TimeSpan? lag = null;
    await display.ShowAsync("Wait for the replicas", async () =>
    {
        await servers.WaitForReplicasAsync(stop);
        lag = await servers.LagAsync(options.Lag, stop);
    });

    // 4. The same load with replicas and the cache, with replicas, and on the primary alone, in turns, so that whatever else this machine does hits all alike.
    //    What goes wrong in the warm-up counts; its numbers do not.
    await display.ShowAsync("Wait for the cache", () => cachedLoad.WaitForCacheAsync(stop));
    await display.ShowAsync("Warm up with replicas and the cache", () => RunCachedAsync(new Measurements(), warmUp));
    await display.ShowAsync("Warm up with replicas", () => routedLoad.RunAsync(new Measurements(), warmUp, stop));
    await display.ShowAsync("Warm up on the primary alone", () => plainLoad.RunAsync(new Measurements(), warmUp, stop));
    var (cached, routed, plain) = (new Measurements(), new Measurements(), new Measurements());
    await display.ShowLoadAsync("Load with replicas and the cache, in turns with less", options.Duration * 2, State, RunInTurnsAsync());

    // 5. The table.
    var setup = new RunSetup(
        servers.IsEmbedded,
        SampleServers.NameOf(servers.Primary),
        [.. servers.Replicas.Select(SampleServers.NameOf)],
        servers.Redis.ToString(),
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
            await display.ShowTableAsync(Report, State, RunCachedAsync(cached, Timeout.InfiniteTimeSpan));
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

    async Task RunInTurnsAsync()
    {
        var turns = Math.Ceiling(options.Duration / turn);
        for (var i = 0; i < turns; i++)
        {
            await RunCachedAsync(cached, options.Duration / turns);
            await routedLoad.RunAsync(routed, options.Duration / turns / 2, stop);
            await plainLoad.RunAsync(plain, options.Duration / turns / 2, stop);
        }
    }

    // What the other loads wrote, the cache has not seen: they are other applications to it.
    async Task RunCachedAsync(Measurements numbers, TimeSpan duration)
    {
        await cachedLoad.ForgetPagesAsync(stop);
        await cachedLoad.RunAsync(numbers, duration, stop);
    }

    MixedLoad Load(ServiceProvider services, FeedSetup setup) =>
        new(services.GetRequiredService<IDbContextFactory<FeedContext>>(), graph, posts, options.Workers, setup, clock);

    RunReport Report() => RunReport.Of(setup, new(cached, cachedLoad.Checker), new(routed, routedLoad.Checker), new(plain, plainLoad.Checker));

    // Not stopped by Ctrl-C: the numbers are there and only need writing.
    Task SaveAsync(RunReport report) => options.JsonFile is { } file ? ReportFile.WriteAsync(file, report, CancellationToken.None) : Task.CompletedTask;

    string State() => string.Create(
        CultureInfo.InvariantCulture,
        $"{cached.Elapsed.TotalSeconds:0} s: {cached.Reads.Count:N0} reads, {cached.Writes.Count:N0} writes, {cached.Throughput:N0} a second ")
        + string.Create(
            CultureInfo.InvariantCulture,
            $"({routed.Throughput:N0} without the cache, {plain.Throughput:N0} on the primary alone); {cachedLoad.Checker.Violations:N0} violations, {cachedLoad.Checker.Failures:N0} failures");
}
