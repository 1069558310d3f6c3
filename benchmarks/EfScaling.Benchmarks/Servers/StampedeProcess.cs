using System.Diagnostics;
using System.Globalization;
using EfScaling.Caching;
using EfScaling.Caching.Redis;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Servers;

/// <summary>One process of an application whose requests all ask for the same at once; the benchmarks start several of themselves as such.</summary>
/// <remarks>
/// It is told by lines: the database, Redis, then a line a stampede: the row, the number of requests, and whether the query is expensive. It answers
/// <c>ready</c>, and a line a stampede: the queries that ran in the database, the requests that failed, the milliseconds, and what the cache did for how many.
/// It ends with its input.
/// </remarks>
internal sealed class StampedeProcess : IDisposable
{
    /// <summary>The argument that makes this program one.</summary>
    public const string Verb = "stampede-process";

    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    private readonly Process _process;

    private StampedeProcess(Process process) => _process = process;

    /// <summary>Starts a process and completes when its cache is in use.</summary>
    public static async Task<StampedeProcess> StartAsync(string database, string redis)
    {
        var program = Environment.ProcessPath!;
        string[] arguments = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [typeof(StampedeProcess).Assembly.Location, Verb] : [Verb];
        var process = new StampedeProcess(Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!);
        await process._process.StandardInput.WriteLineAsync($"{database}\n{redis}");
        await process.AnswerAsync();
        return process;
    }

    /// <summary>Runs a stampede.</summary>
    public async Task<(int Loads, int Failures, int Milliseconds, IReadOnlyDictionary<CacheOutcome, int> Outcomes)> RunAsync(int id, int requests, bool isExpensive)
    {
        await _process.StandardInput.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{id} {requests} {isExpensive}"));
        var answer = (await AnswerAsync()).Split(' ');
        return (
            Number(answer[0]),
            Number(answer[1]),
            Number(answer[2]),
            answer[3..].Select(a => a.Split('=')).ToDictionary(a => Enum.Parse<CacheOutcome>(a[0]), a => Number(a[1])));

        static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _process.StandardInput.Dispose();
        _process.WaitForExit();
        _process.Dispose();
    }

    /// <summary>Is such a process, until its input ends.</summary>
    public static async Task ServeAsync()
    {
        var (database, redis) = ((await Console.In.ReadLineAsync())!, (await Console.In.ReadLineAsync())!);
        var count = new CommandCount();
        var options = new DbContextOptionsBuilder<ItemContext>();

        // Ten thousand requests on few cores take their time: that a server is given up as too slow is another question.
        options.UseNpgsql(database).AddInterceptors(count).UseQueryCache(c => c.Redis(RedisOptions.Parse(redis) with { MaxWait = _patience }));
        await ItemServers.WarmUpCacheAsync(options.Options);
        await Console.Out.WriteLineAsync("ready");
        while (await Console.In.ReadLineAsync() is { } line)
        {
            var parts = line.Split(' ');
            var (id, requests) = (int.Parse(parts[0], CultureInfo.InvariantCulture), int.Parse(parts[1], CultureInfo.InvariantCulture));
            count.Take();
            var start = Stopwatch.GetTimestamp();
            var outcomes = await Task.WhenAll(Enumerable.Range(0, requests).Select(_ => Task.Run(() => AskAsync(options.Options, id, bool.Parse(parts[2])))));
            var milliseconds = (int)Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            var groups = outcomes.Where(o => o is not null).GroupBy(o => o!.Value).Select(g => string.Create(CultureInfo.InvariantCulture, $" {g.Key}={g.Count()}"));
            await Console.Out.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"{count.Take()} {outcomes.Count(o => o is null)} {milliseconds}{string.Concat(groups)}"));
        }
    }

    private static async Task<CacheOutcome?> AskAsync(DbContextOptions<ItemContext> options, int id, bool isExpensive)
    {
        try
        {
            await using var context = new ItemContext(options);
            var query = context.Items.Where(i => i.Id == id).Select(i => ItemContext.Work(i.Id)).Cacheable().DependsOnTable("Items");
            _ = await (isExpensive ? query.AsExpensive() : query).FirstAsync();
            return context.Database.LastRouting()?.Cache?.Outcome;
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            return null;
        }
    }

    private async Task<string> AnswerAsync() =>
        await _process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("A process of the stampede has ended; what it wrote above says why.");
}
