namespace EfScaling.Caching;

/// <summary>What the cache did for a query. The same value is the log field, the metric tag and what tests expect.</summary>
public enum CacheOutcome
{
    /// <summary>The result came from the memory of this process, without asking anybody.</summary>
    LocalHit,

    /// <summary>The result came from the store.</summary>
    Hit,

    /// <summary>The result came from another query of this process that loaded the same at the same time.</summary>
    Joined,

    /// <summary>There was no result; it was read and is kept.</summary>
    Absent,

    /// <summary>The result was made old by a write; a new one was read and is kept.</summary>
    Stale,

    /// <summary>What the store held could not be read, and was replaced.</summary>
    Unreadable,

    /// <summary>The result was read on a node that is not proven to show all published writes, and is not kept.</summary>
    NodeBehind,

    /// <summary>The result is larger than results may be, and is not kept.</summary>
    TooLarge,

    /// <summary>The application did not read the result to its end, and it is not kept.</summary>
    NotReadToEnd,

    /// <summary>The store is not in use: it cannot be reached, is too slow or refuses.</summary>
    StoreUnavailable,

    /// <summary>The cache does not know the database yet.</summary>
    Starting,

    /// <summary>A write of this process to one of the tables is under way, or not yet published.</summary>
    WriteUnderWay,

    /// <summary>A transaction is open on the context's connection, or around it.</summary>
    InTransaction,

    /// <summary>The application opened the context's connection, or a reader is open on it.</summary>
    ConnectionOpen,

    /// <summary>The application gave the context another connection than the options name.</summary>
    ConnectionChanged,

    /// <summary>The primary was asked for, by <c>AsPrimary()</c>, a scope, or a token that only it can satisfy.</summary>
    PrimaryRequested,

    /// <summary>A snapshot is open, whose moment the cache does not know.</summary>
    Snapshot,

    /// <summary>The query's result depends on more than tables and parameters, or has a type the cache cannot keep.</summary>
    NotCacheable,

    /// <summary>Writes make the query's results old before they are used, most of the time: one is kept only if it is asked for twice between two writes.</summary>
    WrittenTooOften,

    /// <summary>A write was published while the rows were read. They are right for who asked, and are not kept.</summary>
    Overtaken,

    /// <summary>As many contexts as may were loading results, and no turn came in time: the result was read all the same, and is not kept.</summary>
    TooManyLoads,

    /// <summary>The result was made old by a write a moment ago, and was used while another reader loads the new one: the query says <c>StaleWhileRefilling</c>.</summary>
    StaleHit,

    /// <summary>The result was right a while ago, and was used because no server can be asked: the query or the context says <c>ServeCachedWhenDown</c>.</summary>
    DownHit,
}
