using System.Diagnostics;
using EfScaling.Testing.Processes;

namespace EfScaling.Testing.Network;

/// <summary>Ends pauses of a few milliseconds within microseconds; timers of .NET count whole milliseconds.</summary>
/// <remarks>Thread-safe. One thread sleeps for all, and only while somebody pauses.</remarks>
internal static class ShortPause
{
    /// <summary>What is longer had better wait for a timer.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(20);

    // A pause that begins while the thread sleeps for a longer one ends at most this much too late.
    private static readonly TimeSpan _nap = TimeSpan.FromMicroseconds(300);

    private static readonly PriorityQueue<TaskCompletionSource, long> _pauses = new();

    static ShortPause() => new Thread(End) { IsBackground = true, Name = "EfScaling.Testing pauses" }.Start();

    /// <summary>Completes after a time.</summary>
    public static Task ForAsync(TimeSpan time)
    {
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_pauses)
        {
            _pauses.Enqueue(pause, Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency));
            Monitor.Pulse(_pauses);
        }

        return pause.Task;
    }

    private static void End()
    {
        while (true)
        {
            TimeSpan left;
            lock (_pauses)
            {
                while (_pauses.Count == 0)
                {
                    Monitor.Wait(_pauses);
                }

                _pauses.TryPeek(out var next, out var due);
                left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due);
                if (left <= TimeSpan.Zero)
                {
                    _pauses.Dequeue();
                    next!.SetResult();
                    continue;
                }
            }

            _ = Libc.Sleep((uint)Math.Max(1, (left < _nap ? left : _nap).TotalMicroseconds));
        }
    }
}
