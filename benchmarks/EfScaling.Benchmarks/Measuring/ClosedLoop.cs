using System.Diagnostics;

namespace EfScaling.Benchmarks.Measuring;

/// <summary>Workers that begin their next operation as soon as the one before has ended.</summary>
internal static class ClosedLoop
{
    // Until every worker has its connection.
    private static readonly TimeSpan _settling = TimeSpan.FromMilliseconds(300);

    /// <summary>Returns how many operations a second so many workers complete.</summary>
    public static async Task<double> ThroughputAsync(int workers, TimeSpan window, Func<Task> operation)
    {
        var isOver = false;
        var done = 0L;
        Task[] running = [.. Enumerable.Range(0, workers).Select(_ => Task.Run(async () =>
        {
            while (!Volatile.Read(ref isOver))
            {
                await operation();
                Interlocked.Increment(ref done);
            }
        }))];

        await Task.Delay(_settling);
        var (start, before) = (Stopwatch.GetTimestamp(), Interlocked.Read(ref done));
        await Task.Delay(window);
        var rate = (Interlocked.Read(ref done) - before) / Stopwatch.GetElapsedTime(start).TotalSeconds;
        Volatile.Write(ref isOver, true);
        await Task.WhenAll(running);
        return rate;
    }
}
