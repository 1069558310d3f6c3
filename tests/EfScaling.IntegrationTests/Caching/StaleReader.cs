namespace EfScaling.IntegrationTests.Caching;

/// <summary>Who asks for a result that a write has just made old.</summary>
public enum StaleReader
{
    /// <summary>A context that has done nothing.</summary>
    Fresh,

    /// <summary>A context that has been answered by the cache before the write.</summary>
    HitBefore,

    /// <summary>The context that wrote.</summary>
    Writer,

    /// <summary>Another context of the session that wrote.</summary>
    SessionOfWriter,

    /// <summary>A context that was given the token of the one that wrote.</summary>
    GivenToken,

    /// <summary>A context that has written something else, at some time.</summary>
    WroteBefore,

    /// <summary>A context that has made results old by itself.</summary>
    Invalidated,

    /// <summary>Another context of a session that has made results old by itself.</summary>
    SessionInvalidated,

    /// <summary>A context that has read what was written in the database.</summary>
    SawNewer,

    /// <summary>Another context of a session that has read what was written in the database.</summary>
    SessionSawNewer,

    /// <summary>A context that accepts no result of that age.</summary>
    TooOld,

    /// <summary>A context that bounds how old its reads may be.</summary>
    BoundedStaleness,

    /// <summary>A context whose query does not ask for it.</summary>
    Unasked,

    /// <summary>A context inside a transaction scope that has ended.</summary>
    AfterTransactionScope,
}
