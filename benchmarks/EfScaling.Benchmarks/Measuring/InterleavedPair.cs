using System.Diagnostics;

namespace EfScaling.Benchmarks.Measuring;

/// <summary>Compares two ways of doing the same by running short blocks of each in turn, so that what else the machine does hits both alike.</summary>
/// <param name="baseline">Does the given number of operations the plain way.</param>
/// <param name="candidate">Does the given number of operations the other way.</param>
/// <param name="blockSize">Operations in a block.</param>
/// <param name="prepare">Comes before each block, of either, and is not measured; <see langword="null"/> for nothing.</param>
internal sealed class InterleavedPair(Func<int, Task> baseline, Func<int, Task> candidate, int blockSize, Func<Task>? prepare = null)
{
    private readonly List<Cost> _baseline = [];
    private readonly List<Cost> _candidate = [];

    /// <summary>Gets what one operation of the baseline takes, in microseconds.</summary>
    public Estimate BaselineTime => Estimate.Of(_baseline.Select(b => b.Elapsed));

    /// <summary>Gets the processor time of one operation of the baseline, in microseconds.</summary>
    public Estimate BaselineProcessorTime => Estimate.Of(_baseline.Select(b => b.Processor));

    /// <summary>Gets how much longer the candidate takes, as a ratio.</summary>
    public Estimate Ratio => Estimate.Of(_candidate.Zip(_baseline, (c, b) => c.Elapsed / b.Elapsed));

    /// <summary>Gets how much longer the candidate takes, in microseconds.</summary>
    public Estimate Difference => Estimate.Of(_candidate.Zip(_baseline, (c, b) => c.Elapsed - b.Elapsed));

    /// <summary>Gets how much more processor time of this process the candidate takes, in microseconds.</summary>
    public Estimate ProcessorDifference => Estimate.Of(_candidate.Zip(_baseline, (c, b) => c.Processor - b.Processor));

    /// <summary>Measures several pairs: warms up all of them first, then visits each in turn, round after round.</summary>
    public static async Task MeasureAsync(IReadOnlyCollection<InterleavedPair> pairs, Effort effort)
    {
        foreach (var pair in pairs)
        {
            await pair.WarmUpAsync(effort.WarmUp);
        }

        for (var round = 0; round < effort.Rounds; round++)
        {
            foreach (var pair in pairs)
            {
                await pair.RunAsync(effort.Pairs);
            }
        }
    }

    /// <summary>Measures what one operation of the candidate allocates more, on all threads, in bytes.</summary>
    public async Task<Estimate> AllocationsAsync(int rounds)
    {
        var differences = new List<double>();
        for (var round = 0; round < rounds; round++)
        {
            differences.Add(-await AllocatedAsync(baseline) + await AllocatedAsync(candidate));
        }

        return Estimate.Of(differences);
    }

    /// <summary>Measures what one operation of the candidate allocates, on all threads, in bytes.</summary>
    public async Task<Estimate> CandidateAllocationsAsync(int rounds)
    {
        var allocated = new List<double>();
        for (var round = 0; round < rounds; round++)
        {
            allocated.Add(await AllocatedAsync(candidate));
        }

        return Estimate.Of(allocated);
    }

    // Long enough for the runtime to have compiled the hot paths for good.
    private async Task WarmUpAsync(TimeSpan time)
    {
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < time)
        {
            await PrepareAsync();
            await baseline(blockSize);
            await candidate(blockSize);
        }
    }

    // Which of the two goes first alternates.
    private async Task RunAsync(int pairs)
    {
        for (var pair = 0; pair < pairs; pair++)
        {
            if (pair % 2 == 0)
            {
                _baseline.Add(await TimeAsync(baseline));
                _candidate.Add(await TimeAsync(candidate));
            }
            else
            {
                _candidate.Add(await TimeAsync(candidate));
                _baseline.Add(await TimeAsync(baseline));
            }
        }
    }

    private Task PrepareAsync() => prepare?.Invoke() ?? Task.CompletedTask;

    private async Task<Cost> TimeAsync(Func<int, Task> block)
    {
        await PrepareAsync();
        var processor = Environment.CpuUsage.TotalTime;
        var start = Stopwatch.GetTimestamp();
        await block(blockSize);
        var elapsed = Stopwatch.GetElapsedTime(start);
        return new Cost(elapsed.TotalMicroseconds / blockSize, (Environment.CpuUsage.TotalTime - processor).TotalMicroseconds / blockSize);
    }

    private async Task<double> AllocatedAsync(Func<int, Task> block)
    {
        await PrepareAsync();
        var before = GC.GetTotalAllocatedBytes(precise: true);
        await block(blockSize);
        return (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)blockSize;
    }

    private readonly record struct Cost(double Elapsed, double Processor);
}
