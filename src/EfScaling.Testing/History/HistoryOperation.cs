namespace EfScaling.Testing.History;

/// <summary>What an event of a history tells of.</summary>
public enum HistoryOperation
{
    /// <summary>A register was given a value.</summary>
    Write,

    /// <summary>A register was read.</summary>
    Read,

    /// <summary>Nothing was written, and every standby had replayed everything: replicas can serve any read.</summary>
    Quiet,

    /// <summary>A server was broken.</summary>
    Fault,
}
