using System.Diagnostics;

namespace EfScaling.Testing;

/// <summary>A moment in monotonic time up to which something may take.</summary>
internal readonly struct Deadline
{
    private readonly long _start;
    private readonly TimeSpan _span;

    private Deadline(long start, TimeSpan span)
    {
        _start = start;
        _span = span;
    }

    public TimeSpan Remaining
    {
        get
        {
            var left = _span - Stopwatch.GetElapsedTime(_start);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    public bool HasPassed => Remaining == TimeSpan.Zero;

    public static Deadline After(TimeSpan span) => new(Stopwatch.GetTimestamp(), span);
}
