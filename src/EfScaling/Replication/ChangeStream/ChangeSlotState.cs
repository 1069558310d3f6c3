namespace EfScaling.Replication.ChangeStream;

/// <summary>What becomes of an instance that wants to read the slot.</summary>
internal enum ChangeSlotState
{
    /// <summary>There is no slot: it never was made, was dropped, or stayed behind on a primary that failed.</summary>
    Missing,

    /// <summary>The slot exists and the server has removed log that it would need.</summary>
    Lost,

    /// <summary>Somebody reads it.</summary>
    Taken,

    /// <summary>It can be read from where it was left.</summary>
    Ready,
}
