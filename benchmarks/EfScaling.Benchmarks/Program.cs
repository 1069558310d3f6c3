using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Questions;
using EfScaling.Benchmarks.Servers;

// dotnet run -c Release --project benchmarks/EfScaling.Benchmarks -- all|NAME... [--quick] [--output FILE]
// dotnet run -c Release --project benchmarks/EfScaling.Benchmarks -- bdn [arguments of BenchmarkDotNet]
Console.OutputEncoding = Encoding.UTF8;
if (args is ["bdn", .. var rest])
{
    // In this process: the projects that would be generated otherwise do not pass this repository's rules.
    var config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithIterationCount(10).WithToolchain(InProcessEmitToolchain.Instance));
    BenchmarkSwitcher.FromAssembly(typeof(IQuestion).Assembly).Run(rest.Length > 0 ? rest : ["--filter", "*"], config);
    return 0;
}

if (args is [StampedeProcess.Verb])
{
    await StampedeProcess.ServeAsync();
    return 0;
}

if (args is [ShardsProcess.Verb, var count])
{
    await ShardsProcess.ServeAsync(int.Parse(count, CultureInfo.InvariantCulture));
    return 0;
}

IQuestion[] questions =
[
    new SingleRowQuery(), new HundredRowQuery(), new ContextCreation(),
    new FixedServiceTime(), new StoppedReplica(), new PausedReplica(),
    new GuardedRead(), new CommitPosition(), new SessionLoad(),
    new CachedQuery(), new CacheDistance(), new CacheInvalidation(), new CacheStampede(), new CacheOutage(),
    new ShardedQuery(), new BoundContextCreation(), new ThousandShards(), new ScatterQuery(), new MergedRows(), new DistributedCommit(),
];
var output = Array.IndexOf(args, "--output") is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
string[] names = [.. args.Where(a => !a.StartsWith("--", StringComparison.Ordinal) && a != output)];
string[] known = [.. questions.Select(q => q.GetType().Name)];
if (names.Length == 0 || names.Except(known.Append("all"), StringComparer.OrdinalIgnoreCase).Any())
{
    await Console.Error.WriteLineAsync($"Say which: all, bdn, or some of {string.Join(", ", known)}; then --quick and --output FILE if you like.");
    return 2;
}

var text = new StringBuilder();
text.Append(
    CultureInfo.InvariantCulture,
    $"{TimeProvider.System.GetUtcNow():yyyy-MM-dd}, {Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GB, {RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}\n");
Console.Write(text);
var isMet = true;
foreach (var question in questions)
{
    if (names.Contains("all", StringComparer.OrdinalIgnoreCase) || names.Contains(question.GetType().Name, StringComparer.OrdinalIgnoreCase))
    {
        var figures = await question.AnswerAsync(args.Contains("--quick") ? Effort.Quick : Effort.Full);
        isMet &= figures.All(f => f.IsMet);
        var table = FigureTable.Write(question.Title, figures);
        Console.WriteLine();
        Console.Write(table);
        text.Append('\n').Append(table);
    }
}

if (output is not null)
{
    await File.WriteAllTextAsync(output, text.ToString());
}

return isMet ? 0 : 1;
