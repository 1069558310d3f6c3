namespace EfScaling.Testing.History;

/// <summary>What happens to a cluster while its clients go on.</summary>
public enum FaultKind
{
    /// <summary>A standby receives but does not replay.</summary>
    PauseReplay,

    /// <summary>A standby shows each commit late.</summary>
    DelayReplay,

    /// <summary>A standby replays all that it receives, but receives nothing.</summary>
    CutReplication,

    /// <summary>A standby crashes and starts again.</summary>
    KillStandby,

    /// <summary>A standby is shut down and starts again.</summary>
    StopStandby,

    /// <summary>A standby restarts at once.</summary>
    RestartStandby,

    /// <summary>A standby keeps its connections and does not answer.</summary>
    FreezeStandby,

    /// <summary>The primary switches to another WAL segment while nothing is written, so that its position lies behind a page header.</summary>
    SwitchWalAtRest,

    /// <summary>The primary restarts.</summary>
    RestartPrimary,

    /// <summary>The primary crashes and starts again.</summary>
    KillPrimary,
}
