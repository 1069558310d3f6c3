using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>Waits until a read model shows what a session wrote.</summary>
/// <remarks>
/// The primary is asked, on the context's own connection. With read replicas the session thereby also learns of the commit that changed the read model, and
/// reads it where that is visible.
/// </remarks>
internal sealed class ProjectionWaiter(DbContext context, OutboxSession session, TimeProvider clock)
{
    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan _longestPause = TimeSpan.FromMilliseconds(200);

    /// <summary>Waits.</summary>
    /// <exception cref="InvalidOperationException">A transaction is open, whose writes nobody can apply yet.</exception>
    public async Task<ProjectionWait> WaitAsync(IEnumerable<Projection> projections, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (context.Database.CurrentTransaction is not null || System.Transactions.Transaction.Current is not null)
        {
            throw new InvalidOperationException("WaitForProjectionAsync was called in a transaction, whose writes reach the read model after it is committed. Commit it first.");
        }

        var start = clock.GetTimestamp();
        var result = ProjectionWait.Applied;
        foreach (var projection in projections)
        {
            var wanted = session.PositionOf(projection.Name);
            if (wanted == 0)
            {
                continue;
            }

            var standing = await WaitAsync(projection.Name, wanted, start, timeout, cancellationToken).ConfigureAwait(false);
            if (standing == ProjectionWait.TimedOut)
            {
                return standing;
            }

            result = standing == ProjectionWait.Parked ? standing : result;
        }

        return result;
    }

    private async Task<ProjectionWait> WaitAsync(string projection, long wanted, long start, TimeSpan timeout, CancellationToken cancellationToken)
    {
        // What was committed before now has no higher number than the newest: rows that come later are none of the session's.
        var position = Math.Min(wanted, await AskAsync(() => OutboxTable.NewestAsync(context, projection, cancellationToken), cancellationToken).ConfigureAwait(false));
        for (var pause = _firstPause; ; pause = pause * 2 < _longestPause ? pause * 2 : _longestPause)
        {
            var standing = await AskAsync(() => OutboxTable.StandingAsync(context, projection, position, cancellationToken), cancellationToken).ConfigureAwait(false);
            var left = timeout - clock.GetElapsedTime(start);
            if (standing != ProjectionWait.TimedOut || left <= TimeSpan.Zero)
            {
                return standing;
            }

            await Task.Delay(pause < left ? pause : left, clock, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<T> AskAsync<T>(Func<Task<T>> ask, CancellationToken cancellationToken)
    {
        await context.Database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await ask().ConfigureAwait(false);
        }
        finally
        {
            await context.Database.CloseConnectionAsync().ConfigureAwait(false);
        }
    }
}
