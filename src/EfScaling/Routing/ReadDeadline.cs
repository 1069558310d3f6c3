using EfScaling.Consistency;
using Npgsql;

namespace EfScaling.Routing;

/// <summary>The time that all attempts of a read together may take: the command timeout. Npgsql counts whole seconds.</summary>
/// <param name="startedAt">When the read began.</param>
/// <param name="commandTimeout">The seconds, zero for no limit; <see langword="null"/> for the connection's default.</param>
/// <param name="connection">The context's own connection; <see langword="null"/> if it is not known.</param>
/// <param name="readTimeout">The limit of each attempt on a replica; <see langword="null"/> for none.</param>
/// <param name="clock">The monotonic clock.</param>
internal readonly struct ReadDeadline(Moment startedAt, int? commandTimeout, NpgsqlConnection? connection, TimeSpan? readTimeout, TimeProvider clock)
{
    // Zero is no limit.
    private int Total => commandTimeout ?? connection?.CommandTimeout ?? 0;

    /// <summary>Returns the seconds that an attempt on a replica may take; <see langword="null"/> for its connection's default.</summary>
    /// <param name="attempts">How many there were, this one included.</param>
    /// <param name="now">The present moment.</param>
    public int? ForAttempt(int attempts, Moment now)
    {
        var limit = (int?)readTimeout?.TotalSeconds;
        return attempts <= 1
            ? limit is null || (Total > 0 && Total < limit) ? commandTimeout : limit
            : Remaining(now) is { } left ? Math.Min(left, limit ?? left) : limit;
    }

    /// <summary>Returns the seconds that are left, one at least; <see langword="null"/> without a limit.</summary>
    public int? Remaining(Moment now) => Total == 0 ? null : Math.Max(1, Total - (int)startedAt.Until(now, clock).TotalSeconds);

    /// <summary>Returns whether the time is over. The timer that ended an attempt may have been a little early.</summary>
    public bool IsOver(Moment now) => Total > 0 && startedAt.Until(now, clock).TotalSeconds >= Total - 0.1;
}
