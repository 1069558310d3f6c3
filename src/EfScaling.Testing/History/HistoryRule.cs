namespace EfScaling.Testing.History;

/// <summary>What every history must keep to.</summary>
public enum HistoryRule
{
    /// <summary>A read of a session shows what the session has written before.</summary>
    ReadYourWrites,

    /// <summary>A read of a session shows at least what the session has seen before.</summary>
    MonotonicReads,

    /// <summary>A read on a replica shows what was acknowledged before it began, less the bound that was reported for it.</summary>
    StalenessBound,

    /// <summary>The bound that was reported for a read is not above the limit that was set for it.</summary>
    StalenessLimit,

    /// <summary>The primary shows every write that was acknowledged.</summary>
    NoLostWrite,

    /// <summary>A value that is read was written, and not rolled back.</summary>
    NothingInvented,

    /// <summary>Replicas that have everything serve reads.</summary>
    ReplicasServe,

    /// <summary>The primary shows what a replica has shown to the session before, even if it was not acknowledged to its writer yet.</summary>
    /// <remarks>
    /// PostgreSQL itself may break this for a moment: a commit is sent to standbys before it becomes visible on the primary. A write that was acknowledged
    /// comes under <see cref="NoLostWrite"/> instead, without exception.
    /// </remarks>
    MonotonicOnPrimary,

    /// <summary>
    /// A result from the cache shows what was acknowledged before the read began: at once what the same process wrote, and what others wrote within the
    /// bounds of <see cref="CacheLimits"/>.
    /// </summary>
    CachedResult,

    /// <summary>A result from the cache shows what the session has seen in the database before.</summary>
    /// <remarks>
    /// The cache may break this for a moment: a commit is visible in the database before the store is told of it. A result that lacks a write of which the store
    /// was told comes under <see cref="CachedResult"/> instead.
    /// </remarks>
    MonotonicInCache,
}
