namespace EfScaling.History;

/// <summary>What happens to the store of the query cache, and to the ways of one process, while the clients go on.</summary>
public enum StoreFault
{
    /// <summary>Redis crashes, and starts again empty.</summary>
    Kill,

    /// <summary>Redis is shut down and starts again at once, empty.</summary>
    Restart,

    /// <summary>Redis keeps its connections and does not answer.</summary>
    Suspend,

    /// <summary>Redis loses all keys.</summary>
    Flush,

    /// <summary>Redis has almost no memory left and evicts whatever was not used lately, versions too.</summary>
    Evict,

    /// <summary>Redis has no memory left and may not evict anything: it refuses to write.</summary>
    Full,

    /// <summary>Nothing passes any more between Redis and the second process, without an error.</summary>
    Silence,

    /// <summary>The connections of the second process to Redis are closed, and new ones are refused.</summary>
    Cut,

    /// <summary>The connections of the second process to the primary are closed.</summary>
    CutPrimary,

    /// <summary>The sentinels make another server the master, as planned.</summary>
    FailOver,

    /// <summary>The master crashes, the sentinels replace it, and it returns as a replica.</summary>
    KillMaster,

    /// <summary>The master hangs, the sentinels replace it, and it goes on.</summary>
    SuspendMaster,
}
