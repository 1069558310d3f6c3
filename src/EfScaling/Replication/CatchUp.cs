using EfScaling.Consistency;

namespace EfScaling.Replication;

/// <summary>Decides whether a read waits for a replica to catch up with its session, and for how long.</summary>
/// <remarks>
/// Waiting pays while replicas are some milliseconds behind. When they are farther, every read would wait in vain: after one that did, none waits until
/// the replicas have been measured again. Thread-safe.
/// </remarks>
internal sealed class CatchUp(ReplicaOptions options, TimeProvider clock)
{
    // Doubled from round to round: each question that comes too early is an error on the server and costs both sides more than an answer.
    private static readonly TimeSpan _shortestPause = TimeSpan.FromMilliseconds(2);
    private const int LongestDoubling = 3;

    private long _inVainAt = Moment.Never.Timestamp;

    /// <summary>Returns how long to wait before the replicas are asked again.</summary>
    /// <param name="since">When the first of them was found behind.</param>
    /// <param name="round">How often all of them have been asked.</param>
    /// <param name="now">The present moment.</param>
    /// <returns><see langword="null"/> if the read should not wait any longer.</returns>
    public TimeSpan? Pause(Moment since, int round, Moment now)
    {
        var waited = since.Until(now, clock);
        if (waited >= options.CatchUpWait)
        {
            Volatile.Write(ref _inVainAt, now.Timestamp);
            return null;
        }

        if (new Moment(Volatile.Read(ref _inVainAt)).Until(now, clock) < options.ProbeInterval)
        {
            return null;
        }

        var pause = _shortestPause * (1 << Math.Min(round - 1, LongestDoubling));
        return pause < options.CatchUpWait - waited ? pause : options.CatchUpWait - waited;
    }
}
