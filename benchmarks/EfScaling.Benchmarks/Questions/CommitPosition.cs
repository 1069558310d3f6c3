using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What does it add to a commit that it tells its position in the log?</summary>
internal sealed class CommitPosition : IQuestion
{
    private const int BlockSize = 40;
    private const double MaxRatio = 1.10;

    public string Title => "SaveChanges of two rows, with the position of its commit, against plain EF";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort) =>
    [
        .. await MeasureAsync(isDurable: true, effort),
        .. await MeasureAsync(isDurable: false, effort),
    ];

    private static async Task<List<Figure>> MeasureAsync(bool isDurable, Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(standbys: 1, isDurable: isDurable);
        var primary = ItemServers.Options(servers.Cluster.Primary.ConnectionString);

        // Without the concurrency token: what it adds to an UPDATE is another question.
        var routedOptions = servers.RoutedOptions(1, r => r.TrackedReads(TrackedReads.ReplicaUnprotected));
        await ItemServers.WarmUpAsync(new ContextStyle("new context", () => new ItemContext(routedOptions)), replicas: 1);
        await using var plain = new ItemContext(primary);
        await using var other = new ItemContext(primary);
        await using var routed = new ItemContext(routedOptions);
        foreach (var (context, first) in new[] { (plain, 1), (other, 3), (routed, 5) })
        {
            await context.Items.Where(i => i.Id == first || i.Id == first + 1).AsPrimary().LoadAsync();
        }

        var variants = new List<(string Name, InterleavedPair Pair)>
        {
            ("SaveChanges, sync", new InterleavedPair(Sync(plain), Sync(routed), BlockSize)),
            ("SaveChanges, async", new InterleavedPair(Async(plain), Async(routed), BlockSize)),
            ("transaction of the application", new InterleavedPair(Transaction(plain), Transaction(routed), BlockSize)),
            ("control: plain EF against itself", new InterleavedPair(Async(plain), Async(other), BlockSize)),
        };
        await InterleavedPair.MeasureAsync([.. variants.Select(v => v.Pair)], effort);
        return variants.ConvertAll(v =>
        {
            // Without waiting for the disk a commit is so short that any statement after it shows; applications wait for the disk.
            var isTarget = isDurable && !v.Name.StartsWith("control", StringComparison.Ordinal);
            return new Figure(
                isDurable ? v.Name : $"{v.Name}, without waiting for the disk",
                isTarget ? string.Create(CultureInfo.InvariantCulture, $"≤ {MaxRatio:0.00}") : null,
                string.Create(CultureInfo.InvariantCulture, $"{v.Pair.Ratio.ToString("0.000")}; {v.Pair.Difference.Median:+0.0;-0.0} µs on {v.Pair.BaselineTime.Median:0} µs"),
                !isTarget || v.Pair.Ratio.Median <= MaxRatio);
        });
    }

    private static Func<int, Task> Sync(ItemContext context) => count =>
    {
        for (var i = 0; i < count; i++)
        {
            Change(context);
            context.SaveChanges();
        }

        return Task.CompletedTask;
    };

    private static Func<int, Task> Async(ItemContext context) => async count =>
    {
        for (var i = 0; i < count; i++)
        {
            Change(context);
            await context.SaveChangesAsync();
        }
    };

    private static Func<int, Task> Transaction(ItemContext context) => async count =>
    {
        for (var i = 0; i < count; i++)
        {
            await using var transaction = await context.Database.BeginTransactionAsync();
            Change(context);
            await context.SaveChangesAsync();
            await transaction.CommitAsync();
        }
    };

    private static void Change(ItemContext context)
    {
        foreach (var entry in context.ChangeTracker.Entries<Item>())
        {
            entry.Entity.Stock++;
        }
    }
}
