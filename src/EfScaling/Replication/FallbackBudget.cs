using EfScaling.Consistency;

namespace EfScaling.Replication;

/// <summary>Bounds the reads that go to the primary because no replica can serve them, so that lost replicas do not take the primary with them.</summary>
/// <remarks>A token bucket that holds one second's worth. Waiting reads are served in the order they came. Thread-safe.</remarks>
internal sealed class FallbackBudget(int readsPerSecond, TimeProvider clock)
{
    private readonly Lock _lock = new();
    private double _tokens = readsPerSecond;
    private Moment _refilledAt = Moment.Now(clock);

    /// <summary>Asks for one read on the primary.</summary>
    /// <param name="now">The present moment.</param>
    /// <param name="longestWait">How long the caller is willing to wait for its turn.</param>
    /// <param name="wait">How long the caller must wait before it goes to the primary; zero for at once.</param>
    /// <returns><see langword="false"/> if its turn would not come in time; nothing is then taken from the budget.</returns>
    public bool TryTake(Moment now, TimeSpan longestWait, out TimeSpan wait)
    {
        wait = TimeSpan.Zero;
        if (readsPerSecond == ReplicaOptions.UnlimitedFallback)
        {
            return true;
        }

        if (readsPerSecond == 0)
        {
            return false;
        }

        lock (_lock)
        {
            // Callers read the clock before they get here, and so not always in order.
            if (now > _refilledAt)
            {
                _tokens = Math.Min(readsPerSecond, _tokens + (_refilledAt.Until(now, clock).TotalSeconds * readsPerSecond));
                _refilledAt = now;
            }

            // Below zero the bucket is a queue: each waiting read has already taken its token.
            var missing = Math.Max(0, 1 - _tokens);
            var turn = TimeSpan.FromSeconds(missing / readsPerSecond);
            if (turn > longestWait)
            {
                return false;
            }

            _tokens--;
            wait = turn;
            return true;
        }
    }
}
