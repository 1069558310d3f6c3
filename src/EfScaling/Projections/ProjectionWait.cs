namespace EfScaling.Projections;

/// <summary>How waiting for a read model ended.</summary>
public enum ProjectionWait
{
    /// <summary>The read model shows what the session wrote.</summary>
    Applied,

    /// <summary>Nothing is under way any more, but a key that somebody changed by then is parked, and it may be one of the session's.</summary>
    Parked,

    /// <summary>The time was up before everything was applied.</summary>
    TimedOut,
}
