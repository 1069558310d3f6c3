using System.Diagnostics;
using System.Globalization;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Benchmarks.Servers;

/// <summary>One process that configures its context and answers its first query; the benchmarks start themselves as such.</summary>
internal static class ShardsProcess
{
    /// <summary>The argument that makes this program one; the number of shards follows, zero for plain EF, and the database on the input.</summary>
    public const string Verb = "shards-process";

    /// <summary>Runs such a process.</summary>
    /// <param name="database">The database.</param>
    /// <param name="shards">How many shards; zero for plain EF.</param>
    public static async Task<ShardsFigures> RunAsync(string database, int shards)
    {
        var program = Environment.ProcessPath!;
        var count = shards.ToString(CultureInfo.InvariantCulture);
        string[] arguments = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [typeof(ShardsProcess).Assembly.Location, Verb, count] : [Verb, count];
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        await process.StandardInput.WriteLineAsync(database);
        var answer = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("A process of shards has ended; what it wrote above says why.");
        await process.WaitForExitAsync();
        var parts = answer.Split(' ').Select(p => double.Parse(p, CultureInfo.InvariantCulture)).ToList();
        return new ShardsFigures(parts[0], parts[1], parts[2], parts[3], (int)parts[4], (int)parts[5]);
    }

    /// <summary>Is such a process.</summary>
    public static async Task ServeAsync(int shards)
    {
        var database = (await Console.In.ReadLineAsync())!;
        var start = Stopwatch.GetTimestamp();
        var processorBefore = Environment.CpuUsage.TotalTime;
        var sharded = shards > 0 ? ShardedItemContext.Factory([database], shards) : null;
        var plain = new PooledDbContextFactory<ItemContext>(ItemServers.Options(database));
        Func<ItemContext> create = sharded is null ? plain.CreateDbContext : sharded.CreateDbContext;
        await ReadAsync(create(), IdIn(sharded));
        var milliseconds = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        var processor = (Environment.CpuUsage.TotalTime - processorBefore).TotalMilliseconds;
        var afterFirst = GC.GetTotalMemory(forceFullCollection: true);

        // Each shard once: what a process holds that has used them all.
        var (models, providers) = (new HashSet<object>(ReferenceEqualityComparer.Instance), new HashSet<object>(ReferenceEqualityComparer.Instance));
        for (var i = 0; i < shards; i++)
        {
            await using var context = sharded!.CreateDbContextOnShard(sharded.Shards[i]);
            models.Add(context.Model);
            providers.Add(context.GetService<ShardedDatabaseRegistry>());
        }

        var afterAll = GC.GetTotalMemory(forceFullCollection: true);
        await Console.Out.WriteLineAsync(FormattableString.Invariant($"{milliseconds} {processor} {afterFirst} {afterAll} {models.Count} {providers.Count}"));
        GC.KeepAlive(sharded);
        GC.KeepAlive(plain);
    }

    // Of a thousand shards only the first are there to be asked.
    private static int IdIn(ShardedDbContextFactory<ShardedItemContext>? sharded) =>
        sharded is null ? 1 : Enumerable.Range(1, ItemContext.Count).First(id => sharded.ShardOf(ShardKey.Of(id)) == sharded.Shards[0]);

    private static async Task ReadAsync(ItemContext context, int id)
    {
        await using (context)
        {
            _ = await context.Items.AsNoTracking().FirstAsync(i => i.Id == id);
        }
    }
}
