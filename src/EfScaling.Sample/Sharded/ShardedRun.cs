using System.Globalization;
using EfScaling.Routing.Checks;
using EfScaling.Routing.Shards;
using EfScaling.Sample.Graph;
using EfScaling.Sample.Report;
using EfScaling.Sample.Servers;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace EfScaling.Sample.Sharded;

/// <summary>The feed over four shards, by user: what <c>eng/demo.sh sharded</c> runs.</summary>
internal static class ShardedRun
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);

    /// <summary>Runs it.</summary>
    /// <returns>The exit status.</returns>
    public static async Task<int> RunAsync(SampleOptions options, IAnsiConsole console, ProgressDisplay display, CancellationToken stop)
    {
        var clock = TimeProvider.System;

        // 1. Four databases with a replica each, the accounts in a cluster of their own, and a Redis.
        SampleServers? found = null;
        await display.ShowAsync("Find or start the servers", async () => found = await SampleServers.StartAsync(Environment.GetEnvironmentVariable, stop));
        await using var servers = found!;
        ShardedServers? created = null;
        await display.ShowAsync("Create the databases", async () => created = await ShardedServers.StartAsync(servers, stop));
        await using var databases = created!;

        // 2. The application's contexts.
        await using var services = ShardedServices.Create(databases);
        var contexts = services.GetRequiredService<ShardedDbContextFactory<ShardedFeedContext>>();
        var accounts = services.GetRequiredService<IDbContextFactory<AccountsContext>>();

        // 3. The graph by COPY, the posts by SaveChanges, each row to the shard of its user.
        var graph = FriendshipGraph.Unpack();
        var ids = new ShardedIdGenerator(number: 0);
        var loader = new ShardedLoader(contexts, graph, ids);
        await display.ShowAsync("Create the tables on all shards", async () =>
        {
            await loader.CreateTablesAsync(stop);
            await using var context = await accounts.CreateDbContextAsync(stop);
            await context.Database.EnsureCreatedAsync(stop);
        });
        await display.ShowAsync("Copy the graph", () => loader.CopyGraphAsync(stop));
        await display.ShowAsync("Write posts", () => loader.WritePostsAsync(stop));
        await display.ShowAsync("Wait for the replicas", async () =>
        {
            await servers.WaitForReplicasAsync(stop);
            await servers.LagAsync(options.Lag, stop);
        });

        // 4. The load: what one user's shard can answer, what needs several, and writes to both databases. What goes wrong in the warm-up counts; its times do not.
        using var counts = new ShardCounts();
        var checker = new ShardedChecker(graph, ShardedLoader.PostsPerPerson, clock);
        var times = new ShardedTimes();
        var seconds = 0.0;
        var plans = Explain();
        await display.ShowAsync("Warm up", () => LoadAsync(WarmUp, run: 0, new ShardedTimes()));
        await display.ShowLoadAsync("Load over the shards", options.Duration, State, LoadAsync(options.Duration, run: 1, times));

        // 5. The rows, where they are and whether they belong there, and the table.
        var report = await ReportAsync();
        console.Write(ShardedReportTable.Of(report));
        await SaveAsync();

        // 6. Without --once the load goes on, and the table with it.
        for (var run = 2; !options.Once && !stop.IsCancellationRequested; run++)
        {
            console.MarkupLine("[bold]The load goes on until Ctrl-C.[/]");
            try
            {
                await display.ShowLoadAsync("Load over the shards", options.Duration, State, LoadAsync(options.Duration, run, times));
                report = await ReportAsync();
                console.Write(ShardedReportTable.Of(report));
                await SaveAsync();
            }
            catch (Exception) when (stop.IsCancellationRequested)
            {
                // Ctrl-C is how this part ends.
            }
        }

        foreach (var check in report.Checks.Where(c => !c.Holds))
        {
            await Console.Error.WriteLineAsync($"Check failed: {check.Name} ({check.Evidence}).");
        }

        return report.AllChecksHold ? ExitStatus.AllChecksHold : ExitStatus.Failed;

        async Task LoadAsync(TimeSpan duration, int run, ShardedTimes measured)
        {
            using var time = new CancellationTokenSource(duration, clock);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(time.Token, stop);
            var startedAt = clock.GetTimestamp();
            await Task.WhenAll(Enumerable.Range(0, options.Workers)
                .Select(worker => new ShardedVisitor(contexts, accounts, graph, ids, checker, measured, clock, (run * 1_000) + worker))
                .Select(visitor => Task.Run(() => visitor.VisitAsync(end.Token, stop), CancellationToken.None)));
            seconds += clock.GetElapsedTime(startedAt).TotalSeconds;
            stop.ThrowIfCancellationRequested();
        }

        QueryPlan[] Explain()
        {
            using var context = contexts.CreateDbContext();
            var (network, user) = (new SocialNetwork(context), graph.ByFriends[0]);
            return
            [
                new("The posts of one user", context.Posts.Where(p => p.AuthorId == user).ToRoutingString()),
                new("The feed of everyone whom a user follows", network.Feed(user).ToRoutingString()),
                new("A search", network.Search("visit").ToRoutingString()),
                new("The most followed users", network.MostFollowed().ToRoutingString()),
            ];
        }

        // Not stopped by Ctrl-C: the numbers are there and only need writing.
        Task SaveAsync() => options.JsonFile is { } file ? ReportFile.WriteAsync(file, report, CancellationToken.None) : Task.CompletedTask;

        string State() => string.Create(
            CultureInfo.InvariantCulture,
            $"{contexts.Shards.Sum(counts.ReadsOf):N0} reads, {contexts.Shards.Sum(counts.WritesOf):N0} writes; {counts.Refusals:N0} refusals, {checker.Failures:N0} failures");

        async Task<ShardedReport> ReportAsync()
        {
            // What the load did, before these questions count as well; what was written, once no replica can lack it.
            var did = contexts.Shards.ToDictionary(s => s, s => (Reads: counts.ReadsOf(s), Replica: checker.ReplicaReadsOf(s), Writes: counts.WritesOf(s)));
            await servers.WaitForReplicasAsync(stop);
            checker.QuietRead(await ReadQuietNetworkAsync());
            var placement = (await contexts.VerifyPlacementAsync(cancellationToken: stop)).Tables.ToLookup(t => t.Shard);
            List<ShardSummary> shards =
            [
                .. contexts.Shards.Select(shard => new ShardSummary(
                    shard,
                    RowsOf(nameof(ShardedFeedContext.Users), placement[shard]),
                    RowsOf(nameof(ShardedFeedContext.Follows), placement[shard]),
                    RowsOf(nameof(ShardedFeedContext.Posts), placement[shard]),
                    RowsOf(nameof(ShardedFeedContext.Likes), placement[shard]),
                    RowsOf(nameof(ShardedFeedContext.GivenLikes), placement[shard]),
                    placement[shard].Sum(t => t.Misplaced),
                    did[shard].Reads,
                    did[shard].Replica,
                    did[shard].Writes)),
            ];
            return ShardedReport.Of(shards, graph.People, graph.Friendships.Count * 2, loader.Posts, checker, counts.Refusals, seconds, times, plans);
        }

        async Task<QuietNetwork> ReadQuietNetworkAsync()
        {
            await using var context = contexts.CreateDbContext();
            var network = new SocialNetwork(context);
            return new(await network.StatisticsAsync(stop), await network.LikesOfPosts().ToListAsync(stop), await network.LikesOfUsers().ToListAsync(stop));
        }

        static long RowsOf(string table, IEnumerable<TablePlacementResult> tables) => tables.Single(t => t.Table == table).Rows;
    }
}
