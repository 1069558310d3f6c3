namespace EfScaling.Caching;

/// <summary>What a write does when the cache cannot be told of it.</summary>
public enum PublishFailure
{
    /// <summary>
    /// The write is committed. This process does not use cached results of the tables concerned until the store has been told, and goes on trying; others
    /// may use theirs until then.
    /// </summary>
    Proceed,

    /// <summary>The write is announced before it is committed, and refused if that fails: one more round trip, and no write while the store is down.</summary>
    FailBeforeCommit,
}
